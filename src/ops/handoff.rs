//! Handoffs: made, shown, accepted, declined, done.

mod missing;

pub use missing::Missing;

use super::{Error, Notice, Session, Who};
use crate::{
    base::{
        id::{ClaimId, HandoffId, InstanceId, Tool},
        path::RepoPath,
        text,
    },
    model::{
        apply::kept_beside,
        claim::{Claim, GrantRef, Holder},
        handoff::{Document, Handoff, HandoffState, MAX_DOCUMENT, WorkTreeMark},
        op::{Action, Settlement},
        scope::Scope,
        view::View,
    },
    store::{Damage, Extent, Snapshot},
};
use missing::lacking;

/// Most bytes of dirty paths that a handoff lists.
const MAX_DIRTY: usize = 16 * 1024;

/// Which claims a new handoff takes.
#[derive(Debug, Clone)]
pub enum Take {
    /// None.
    None,
    /// All claims of its maker on paths.
    All,
    /// These, by id or prefix.
    Some(Vec<String>),
}

/// A handoff with the claims it holds, or came with.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The handoff.
    pub handoff: Handoff,
    /// Its claims, as far as they are still in force.
    pub claims: Vec<Claim>,
    /// What of the work that it hands on is not in this clone.
    pub missing: Missing,
}

impl Session {
    /// Makes a handoff, which takes over claims of its maker until it is settled, and with them the one on a task that its
    /// maker holds.
    ///
    /// # Errors
    /// When the document is too long, a named claim is not the maker's, or the store can't be written.
    pub fn hand_off(
        &self,
        document: Document,
        to: Option<Tool>,
        take: &Take,
        task: Option<&str>,
    ) -> Result<Shown, Error> {
        if document.title.trim().is_empty() {
            return Err(Error::usage("the handoff has no title", "say in a few words what is handed on"));
        }
        if document.title.contains(['\n', '\r']) {
            let hint = "say in one what is handed on, and the rest as its context";
            return Err(Error::usage("the title of the handoff has several lines", hint));
        }
        if document.len() > MAX_DOCUMENT {
            let message = format!("the document has {} bytes; {MAX_DOCUMENT} is the most", document.len());
            return Err(Error::usage(message, "put the rest into a file of the repository and name it"));
        }
        let me = self.acting()?;
        if let Some(open) = task.map(|task| self.handed_on(task, &me)).transpose()?.flatten() {
            return self.shown(open, &self.snapshot()?);
        }
        if let Some(to) = to.as_ref().filter(|to| !self.has_seen(to)) {
            let elsewhere = self.is_registered(to)?;
            self.notice(Notice::NobodyOf { tool: to.clone(), elsewhere });
        }
        let (tree, run) = (self.work_tree_mark()?, self.run_around()?);
        let id = HandoffId::random(self.random());
        let at = self.now();
        let mut made = None;
        let plan = |snapshot: &Snapshot<'_>| {
            // What somebody holds who works for a run is the scope of that, and goes only where it is named.
            let take = if run.is_some() && matches!(take, Take::All) { &Take::None } else { take };
            let mut claims = self.taken(take, &me, snapshot)?;
            let task = task.map(|task| self.held_task(task, &me, snapshot)).transpose()?;
            claims.extend(task.filter(|task| !claims.contains(task)));
            let handoff = Handoff {
                id: id.clone(),
                document: Document { files: files(&document, &claims), ..document.clone() },
                from: me.clone(),
                to: to.clone(),
                at,
                state: HandoffState::Open,
                claims: claims.iter().map(|claim| claim.id.clone()).collect(),
                tree: tree.clone(),
                run: run.clone(),
            };
            let grants = claims.iter().map(Claim::grant_ref).collect();
            made = Some(Shown { handoff: handoff.clone(), claims, missing: Missing::default() });
            Ok(Some(Action::Handoff { handoff: Box::new(handoff), claims: grants }))
        };
        // A task may have been taken over: by whom it is handed on the hub decides, as it does who takes it.
        match task {
            Some(_) => self
                .perform_confirmed(Some(&me), plan)
                .map_err(|error| error.undone("nothing was handed on", "hand it on when the hub can be reached"))?,
            None => self.perform(Some(&me), plan)?,
        };
        made.ok_or_else(|| Error::not_found("the handoff was not made", "try again"))
    }

    /// Whether there is or was an instance of `tool` here.
    fn has_seen(&self, tool: &Tool) -> bool {
        let census = self.live.all().unwrap_or_default().instances;
        census.iter().any(|(id, _)| id.tool() == tool.as_str())
    }

    /// Whether an instance of `tool` is on the register, in whatever clone.
    fn is_registered(&self, tool: &Tool) -> Result<bool, Error> {
        let registered = self.snapshot()?.instances(Extent::Newest, |instance| instance.tool == *tool)?;
        Ok(!registered.records.is_empty())
    }

    fn taken(&self, take: &Take, me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Vec<Claim>, Error> {
        match take {
            Take::None => Ok(Vec::new()),
            Take::All => {
                let mut all = snapshot.claims_of(&Holder::Instance(me.clone()))?;
                all.retain(|claim| !matches!(claim.scope, Scope::Task(_)));
                all.sort_by_cached_key(Claim::place);
                Ok(all)
            }
            Take::Some(ids) => {
                let mut named = Vec::new();
                for id in ids {
                    let claim = self.own_claim(id, me, snapshot)?;
                    if !named.contains(&claim) {
                        named.push(claim);
                    }
                }
                keeps_nothing_beside(&named, me, snapshot)?;
                Ok(named)
            }
        }
    }

    fn own_claim(&self, prefix: &str, me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Claim, Error> {
        let ids: Vec<ClaimId> = snapshot.claims_by_prefix(&prefix.to_ascii_lowercase())?;
        let found = match ids.as_slice() {
            [id] if !prefix.is_empty() => snapshot.claim(id)?.filter(|claim| claim.is_held_by(me)),
            _ => None,
        };
        found.ok_or_else(|| {
            Error::not_found(
                format!("you hold no claim {}", text::one_line(prefix, 40)),
                "`git aio status` shows the claims there are",
            )
        })
    }

    fn work_tree_mark(&self) -> Result<WorkTreeMark, Error> {
        if self.repository.work_tree().is_none() {
            return Ok(WorkTreeMark::default());
        }
        let status = self.git().status()?;
        let mut mark = WorkTreeMark { commit: status.commit, branch: status.branch, ..WorkTreeMark::default() };
        let mut size = 0;
        for path in status.dirty.iter().filter_map(|path| RepoPath::from_bytes(path).ok()) {
            size += path.encoded().len();
            if size > MAX_DIRTY {
                mark.more_dirty += 1;
            } else {
                mark.dirty.push(path);
            }
        }
        Ok(mark)
    }

    /// All handoffs, those that wait first, then newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn handoffs(&self) -> Result<(Vec<Shown>, Vec<Damage>), Error> {
        let snapshot = self.snapshot()?;
        self.asking(&snapshot)?;
        let (mut handoffs, damaged) = self.listed("handoffs", snapshot.handoffs(Extent::Newest, |_| true)?);
        handoffs.sort_by(|a, b| {
            (a.state.settled().is_some(), b.at, &b.id).cmp(&(b.state.settled().is_some(), a.at, &a.id))
        });
        let shown = handoffs.into_iter().map(|handoff| self.shown(handoff, &snapshot)).collect::<Result<_, _>>()?;
        Ok((shown, damaged))
    }

    /// The handoff whose id begins with `prefix`.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn handoff(&self, prefix: &str) -> Result<Shown, Error> {
        let snapshot = self.snapshot()?;
        self.asking(&snapshot)?;
        let handoff = self.find(prefix, &snapshot)?;
        self.shown(handoff, &snapshot)
    }

    pub(super) fn shown(&self, handoff: Handoff, snapshot: &Snapshot<'_>) -> Result<Shown, Error> {
        let mut claims = Vec::new();
        for id in &handoff.claims {
            claims.extend(snapshot.claim(id)?);
        }
        claims.sort_by_cached_key(Claim::place);
        let missing = self.missing(&handoff, snapshot)?;
        Ok(Shown { handoff, claims, missing })
    }

    fn find(&self, prefix: &str, snapshot: &Snapshot<'_>) -> Result<Handoff, Error> {
        let none = || {
            Error::not_found(
                format!("no handoff {}", text::one_line(prefix, 40)),
                match self.has_hub() {
                    true => "`git aio handoff list` shows those there are; `git aio sync` brings those of other clones",
                    false => "`git aio handoff list` shows those there are",
                },
            )
        };
        let digits = prefix.strip_prefix("handoff-").unwrap_or(prefix);
        let found = if digits.is_empty() { Vec::new() } else { snapshot.handoffs_by_prefix(digits)? };
        match found.as_slice() {
            [] => Err(none()),
            [id] => snapshot.handoff(id)?.ok_or_else(none),
            _ => Err(Error::usage(
                format!("{} is the beginning of several handoffs", text::one_line(prefix, 40)),
                "give more digits of the one you mean",
            )),
        }
    }

    /// Accepts a handoff: its claims become the acceptor's, in the same operation.
    ///
    /// # Errors
    /// When it is meant for another tool or this clone lacks some of its work (unless `force`), and when it is not open.
    pub fn accept(&self, prefix: &str, force: bool) -> Result<Shown, Error> {
        let snapshot = self.snapshot()?;
        let handoff = self.find(prefix, &snapshot)?;
        let me = self.acting()?;
        if let Some(to) = handoff.to.as_ref().filter(|to| !force && to.as_str() != me.tool()) {
            return Err(Error::not_allowed(
                format!("{} is for {to}, and you are {me}", handoff.id),
                "leave it to them, or accept it with --force",
            ));
        }
        let missing = self.missing(&handoff, &snapshot)?;
        if handoff.state == HandoffState::Open && !force && !missing.is_empty() {
            return Err(lacking(&handoff, &missing));
        }
        self.settle(&me, &handoff.id, Settlement::Accept)
    }

    /// Turns a handoff down, or withdraws an own one: its claims go back to its maker.
    ///
    /// # Errors
    /// When it is for somebody else and the one who declines is neither its maker nor a person, or it is not open.
    pub fn decline(&self, prefix: &str) -> Result<Shown, Error> {
        let snapshot = self.snapshot()?;
        let handoff = self.find(prefix, &snapshot)?;
        let who = self.who(&snapshot)?;
        let concerned = who
            .instance()
            .is_some_and(|me| *me == handoff.from || handoff.to.as_ref().is_some_and(|to| to.as_str() == me.tool()));
        if !concerned && self.is_inside_agent(&who) {
            return Err(Error::not_allowed(
                format!("{} is neither from you nor for you", handoff.id),
                "leave it to them, or to a person",
            ));
        }
        let me = self.acting()?;
        self.settle(&me, &handoff.id, Settlement::Decline)
    }

    /// Finishes a handoff: its claims are free.
    ///
    /// # Errors
    /// When the one who finishes it is neither its maker nor who accepted it nor a person, or it is settled already.
    pub fn done(&self, prefix: &str) -> Result<Shown, Error> {
        let snapshot = self.snapshot()?;
        let handoff = self.find(prefix, &snapshot)?;
        let who: Who = self.who(&snapshot)?;
        // Once it is accepted it is the work of who accepted it, and its claims are theirs.
        let whose = handoff.state.settled().map_or(&handoff.from, |settled| &settled.by);
        let concerned = who.instance() == Some(whose);
        if !concerned && self.is_inside_agent(&who) {
            return Err(Error::not_allowed(
                format!("{} is somebody else's work", handoff.id),
                "accept it first, or leave it to them",
            ));
        }
        let me = self.acting()?;
        self.settle(&me, &handoff.id, Settlement::Done)
    }

    fn settle(&self, me: &InstanceId, id: &HandoffId, how: Settlement) -> Result<Shown, Error> {
        let plan = |snapshot: &Snapshot<'_>| {
            let handoff = snapshot.handoff(id)?;
            let claims = handoff.map(|handoff| moving(&handoff, snapshot)).transpose()?.unwrap_or_default();
            Ok(Some(Action::Settle { handoff: id.clone(), how, claims }))
        };
        // Two clones may accept the same one: whom the hub gives it to is told so, and nobody else.
        match how {
            Settlement::Accept => self
                .perform_confirmed(Some(me), plan)
                .map_err(|error| error.undone("nothing was accepted", "accept it again when the hub can be reached"))?,
            Settlement::Decline | Settlement::Done => self.perform(Some(me), plan)?,
        };
        let snapshot = self.snapshot()?;
        let handoff = self.find(id.as_str(), &snapshot)?;
        self.shown(handoff, &snapshot)
    }
}

/// Makes sure that `me` keeps nothing that overlaps one of the claims `named`: two may not hold what one may.
fn keeps_nothing_beside(named: &[Claim], me: &InstanceId, snapshot: &Snapshot<'_>) -> Result<(), Error> {
    let grants: Vec<_> = named.iter().map(Claim::grant_ref).collect();
    for claim in named {
        if let Some(kept) = kept_beside(snapshot, me, claim, &grants)?.first() {
            return Err(Error::not_allowed(
                format!("{} can't go without {}, which overlaps it and is yours too", claim.scope, kept.scope),
                format!("name both, with --claim {} too, or release that one first", snapshot.short_claim_id(&kept.id)),
            ));
        }
    }
    Ok(())
}

/// The claims that go with a handoff now: those it holds, or those its acceptor still holds of them.
fn moving(handoff: &Handoff, snapshot: &Snapshot<'_>) -> Result<Vec<GrantRef>, Error> {
    let holder = match &handoff.state {
        HandoffState::Accepted(settled) => Holder::Instance(settled.by.clone()),
        _ => Holder::Handoff(handoff.id.clone()),
    };
    let mut moving = Vec::new();
    for id in &handoff.claims {
        moving.extend(snapshot.claim(id)?.filter(|claim| claim.holder == holder).map(|claim| claim.grant_ref()));
    }
    Ok(moving)
}

/// The files of the document: those that were named, else what is claimed.
fn files(document: &Document, claims: &[Claim]) -> Vec<String> {
    if !document.files.is_empty() {
        return document.files.clone();
    }
    let on_paths = claims.iter().filter(|claim| !matches!(claim.scope, Scope::Task(_)));
    on_paths.map(|claim| claim.scope.target()).collect()
}

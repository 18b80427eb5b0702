//! Answers in JSON: a contract. Keys may be added, none renamed or removed; `git aio schema` describes it.

mod dump;
mod run;
mod task;
mod workflow;

pub use dump::Dump;
pub use run::{RunAnswer, RunEnd, RunEvent, RunLine, RunsAnswer};
pub use task::{QueuedTask, TaskCounts, TaskDone};
pub use workflow::{
    EmitAnswer, HandlerError, PatternChoice, PatternsAnswer, PlannedStep, Workflow, WorkflowAnswer, WorkflowInput,
    WorkflowsAnswer,
};

use super::format::rfc3339;
use crate::{
    model::{
        claim::{Claim as ModelClaim, Ended, Rival as ModelRival},
        handoff::Handoff as ModelHandoff,
        instance::Instance as ModelInstance,
        note::Note as ModelNote,
    },
    ops::{
        Held,
        check::{AsOf as ModelAsOf, Seen},
        handoff::Shown,
        instance::Known,
        log::Entry,
        sync::{HubState, Standing, Synced},
    },
};
use schemars::JsonSchema;
use serde::Serialize;

/// The version of all these shapes.
pub const SCHEMA: u32 = 1;

/// An instance.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Instance {
    id: String,
    tool: String,
    project: String,
    task: Option<Task>,
    /// `live`, `idle`, `stale` or `ended`
    state: String,
    /// Whether it works in another clone
    elsewhere: bool,
    since: String,
    last_seen: String,
    worktree: Option<String>,
    parent: Option<String>,
}

/// A claim that another clone was granted first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LostClaim {
    kind: String,
    target: String,
    /// The instance that lost it
    loser: String,
    /// Who has it: an instance, or an open handoff
    holder: Option<String>,
    /// What that one has
    holds: Option<String>,
    token: Option<u64>,
    since: Option<String>,
}

/// What an instance is doing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Task {
    text: String,
    id: Option<String>,
}

/// A claim.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Claim {
    id: String,
    /// `file`, `directory`, `task` or `pattern`
    kind: String,
    target: String,
    /// `exclusive` or `shared`
    mode: String,
    /// `explicit` or `auto`
    origin: String,
    /// An instance, or an open handoff
    holder: String,
    token: u64,
    /// `held`, `tentative` or `lost`; `expired` or `stale` where the next claim takes it over
    state: String,
    since: String,
    until: Option<String>,
    why: Option<String>,
    /// The tracked files it covers, in the answer to a claim of a folder or pattern
    #[serde(skip_serializing_if = "Option::is_none")]
    covers: Option<Coverage>,
    /// Who has it, where it was lost to another clone
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_to: Option<Rival>,
}

/// The claim to which another was lost.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rival {
    /// An instance, or an open handoff
    holder: String,
    /// What that one has
    holds: String,
    token: u64,
    since: String,
}

/// How many tracked files a claim covers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Coverage {
    pub(super) covered: usize,
    pub(super) tracked: usize,
}

/// A note.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Note {
    id: String,
    /// `decision`, `learning`, `warning` or `pattern`
    category: String,
    text: String,
    by: String,
    at: String,
    paths: Vec<String>,
    to: Option<String>,
    /// The run that its writer was a part of; left out where there was none
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
}

/// A handoff.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Handoff {
    id: String,
    title: String,
    from: String,
    to: Option<String>,
    /// `open`, `accepted`, `done` or `declined`
    state: String,
    at: String,
    claims: Vec<String>,
    commit: Option<String>,
    branch: Option<String>,
    dirty: Vec<String>,
    settled_by: Option<String>,
    settled_at: Option<String>,
    document: Document,
    /// What of its work this clone lacks; left out where it lacks nothing
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Missing>,
    /// The run that its maker was a part of; left out where there was none
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
}

/// What of the work that a handoff hands on is not in this clone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Missing {
    commit: Option<String>,
    /// Paths with changes that were not committed in the clone where it was made
    dirty: Vec<String>,
}

/// The document of a handoff.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document {
    context: String,
    files: Vec<String>,
    boundaries: Vec<String>,
    requirements: Vec<String>,
    patterns: Vec<String>,
    verification: Vec<String>,
    notes: String,
}

/// An operation in the log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogEntry {
    seq: u64,
    op: String,
    op_id: String,
    by: Option<String>,
    at: String,
    subject: String,
}

/// A command of the demo.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DemoStep {
    pub(super) who: String,
    pub(super) command: String,
    pub(super) answer: String,
    pub(super) exit: i32,
    /// What was found to be as it should
    pub(super) facts: Vec<String>,
    /// What was not
    pub(super) unmet: Vec<String>,
}

/// A record that can't be read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Damage {
    pub(super) path: String,
    pub(super) reason: String,
}

macro_rules! answer {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Serialize, JsonSchema)]
        pub struct $name {
            schema: u32,
            $($(#[$field_doc])* $field: $type,)*
        }

        impl $name {
            #[allow(clippy::too_many_arguments, reason = "one a key")]
            pub(super) fn new($($field: $type),*) -> Self {
                $name { schema: SCHEMA, $($field),* }
            }
        }
    };
}

answer!(
    /// register, whoami, heartbeat, unregister, task
    InstanceAnswer { instance: Instance }
);
answer!(
    /// claim
    ClaimAnswer { claims: Vec<Claim> }
);
answer!(
    /// check
    CheckAnswer { as_of: AsOf, paths: Vec<Checked> }
);
answer!(
    /// release, cleanup, unregister
    ReleaseAnswer { released: Vec<String>, ended: Vec<String> }
);
answer!(
    /// status
    StatusAnswer {
        me: Option<String>,
        project: String,
        instances: Vec<Instance>,
        claims: Vec<Claim>,
        handoffs: Vec<Handoff>,
        /// Own claims that were lost and have not been claimed or released since
        lost: Vec<Claim>,
        damaged: Vec<Damage>,
        /// `null`: this store is not shared with other clones
        hub: Option<Hub>,
        tasks: TaskCounts,
    }
);
answer!(
    /// sync
    SyncAnswer {
        /// How many operations of this clone the hub has taken
        pushed: u64,
        /// How many operations of other clones came
        received: u64,
        /// Claims of this clone that others were granted first
        lost: Vec<LostClaim>,
        /// The commit of `refs/aio/state`
        tip: Option<String>,
        /// How often it was tried because others were quicker
        tries: u32,
        /// How many runs of this clone the hub has taken, as they are now
        runs_pushed: u64,
        /// How many runs of other clones are new, or have gone on
        runs_received: u64,
        /// Runs of this clone that another one has taken over
        overtaken: Vec<String>,
    }
);
answer!(
    /// compact
    CompactAnswer {
        /// How many operations were let go of
        let_go: u64,
        epoch: u64,
        /// The commit that begins the epoch
        tip: String,
    }
);
answer!(
    /// context get, context export
    ContextAnswer { notes: Vec<Note>, handoffs: Vec<Handoff>, damaged: Vec<Damage> }
);
answer!(
    /// context decision, learning, warning, pattern
    NoteAnswer { note: Note }
);
answer!(
    /// handoff new, show, accept, decline, done; context handoff
    HandoffAnswer { handoff: Handoff }
);
answer!(
    /// handoff list
    HandoffsAnswer { handoffs: Vec<Handoff>, damaged: Vec<Damage> }
);
answer!(
    /// tasks new, next
    TaskAnswer { task: QueuedTask }
);
answer!(
    /// tasks show
    TaskShownAnswer {
        task: QueuedTask,
        /// The open handoff that holds it
        handoff: Option<Handoff>,
    }
);
answer!(
    /// tasks list
    TasksAnswer { tasks: Vec<QueuedTask>, damaged: Vec<Damage> }
);
answer!(
    /// tasks done
    TaskDoneAnswer {
        /// The id
        done: String,
        /// Whether it was done before, by the same one
        again: bool,
        /// `null`: another tracker keeps it
        task: Option<QueuedTask>,
    }
);
answer!(
    /// log
    LogAnswer { entries: Vec<LogEntry> }
);
answer!(
    /// doctor
    DoctorAnswer { ok: bool, checks: Vec<Check> }
);
answer!(
    /// init
    InitAnswer {
        /// Whether only the plan was shown
        dry_run: bool,
        /// What was changed, or would be, in words
        changes: Vec<String>,
    }
);
answer!(
    /// demo
    DemoAnswer {
        /// Whether every command did what it should
        ok: bool,
        steps: Vec<DemoStep>,
        /// What was shown
        promises: Vec<String>,
        /// Where the repository is, if it was kept
        kept: Option<String>,
    }
);
answer!(
    /// verify
    VerifyAnswer {
        /// `passed`, `failed` or `unverified`
        verdict: String,
        checks: Vec<VerifyCheck>,
        /// The file with what has changed; `null`: nothing has
        diff: Option<String>,
        /// Whether it was stopped before its end
        interrupted: bool,
        /// The ways on, where it came to nothing
        hints: Vec<String>,
    }
);
answer!(
    /// agent list
    AgentsAnswer { agents: Vec<Agent> }
);
answer!(
    /// agent show
    AgentAnswer {
        agent: Agent,
        /// What it is told
        brief: String,
    }
);
answer!(
    /// agent suggest
    SuggestAnswer {
        /// The row of the selection guide; `null`: it has none for this
        task: Option<String>,
        /// The agent for it
        primary: String,
        also: Vec<Helper>,
        /// The tools that fit, the best first
        tools: Vec<ToolChoice>,
    }
);
answer!(
    /// trust
    TrustAnswer {
        /// Whether what the repository declares is approved as it is
        approved: bool,
        /// The files that differ from what was approved last
        changed: Vec<String>,
        /// What is done once it is approved
        effects: Vec<Effect>,
    }
);
answer!(
    /// Any failure
    ErrorAnswer { error: ErrorBody }
);

/// Which state an answer is about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AsOf {
    /// The number of operations the store had seen
    pub(super) seq: u64,
    /// When the hub was last asked with success; `null`: there is none, or it never was
    pub(super) synced: Option<String>,
}

/// What is known about one path.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Checked {
    pub(super) path: String,
    pub(super) available: bool,
    pub(super) claims: Vec<Claim>,
}

/// One check of a verification.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifyCheck {
    pub(super) name: String,
    /// `null`: it was not run, or was stopped
    pub(super) passed: Option<bool>,
    /// `null`: it is no command, was not run, or was ended
    pub(super) exit: Option<i32>,
    pub(super) seconds: Option<f64>,
    /// What it printed, the beginning and the end where that is much
    pub(super) output: String,
    pub(super) command: Option<String>,
    /// Who says that it is a check: `config`, `caller`, `guess`, `handoff` or `built-in`
    pub(super) source: String,
    /// Why it was not run, or was ended
    pub(super) why: Option<String>,
}

/// An agent that work can be given to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Agent {
    pub(super) name: String,
    pub(super) about: String,
    /// Whether its work is to change files; `null`: not known
    pub(super) writes: Option<bool>,
    /// The tools that do its work, the first choice first
    pub(super) tools: Vec<String>,
    /// The file that its brief comes from; `null`: it comes with git-aio
    pub(super) from: Option<String>,
    /// A file with a brief for it that waits for approval
    pub(super) waiting: Option<String>,
}

/// An agent that may help.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Helper {
    pub(super) agent: String,
    pub(super) with: Option<String>,
}

/// A tool that fits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ToolChoice {
    pub(super) tool: String,
    pub(super) why: Vec<String>,
}

/// Something that the configuration of a repository has git-aio do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Effect {
    /// `check`, `setup`, `hub`, `default`, `ledger`, `tool`, `agent`, `task`, `workflow` or `brief`
    pub(super) kind: String,
    pub(super) words: String,
}

/// One thing that doctor looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Check {
    pub(super) name: String,
    pub(super) ok: bool,
    /// Whether it is not quite as it should be, though nothing fails for it
    pub(super) warning: bool,
    pub(super) detail: String,
}

/// The remote that decides between clones.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Hub {
    remote: String,
    /// How many operations of this clone it is not known to have
    pending: u64,
    /// How many claims of this clone were lost to others and have not been claimed or released since
    lost: u64,
    /// Why the last sync failed, if it did
    last_error: Option<String>,
    last_error_at: Option<String>,
    /// When it was last asked with success
    synced: Option<String>,
}

/// Why a command failed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorBody {
    /// `conflict`, `usage`, `not-found`, `not-allowed`, `busy`, `damaged`, `newer`, `repository`, `write` and others
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// What is in the way, where something is
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) conflicts: Vec<Conflict>,
    /// The run that can't go on for that, where it is one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
}

/// One claim in the way.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Conflict {
    target: String,
    claim: Claim,
    /// The last sign of life of its holder, where one is known that is later than the claim
    last_seen: Option<String>,
}

impl Instance {
    pub(super) fn new(known: &Known) -> Self {
        let ModelInstance { id, tool, project, worktree, task, since, parent, .. } = &known.instance;
        Instance {
            id: id.to_string(),
            tool: tool.to_string(),
            project: project.clone(),
            task: task.as_ref().map(|t| Task { text: t.text.clone(), id: t.id.as_ref().map(ToString::to_string) }),
            state: known.presence.as_str().into(),
            elsewhere: known.elsewhere,
            since: rfc3339(*since),
            last_seen: rfc3339(known.last_seen),
            worktree: worktree.clone(),
            parent: parent.as_ref().map(ToString::to_string),
        }
    }
}

impl Claim {
    pub(super) fn new(claim: &ModelClaim) -> Self {
        Claim {
            id: claim.id.to_string(),
            kind: claim.scope.kind().into(),
            target: claim.scope.target(),
            mode: claim.mode.as_str().into(),
            origin: claim.origin.as_str().into(),
            holder: claim.holder.to_string(),
            token: claim.token,
            state: "held".into(),
            since: rfc3339(claim.since),
            until: claim.until.map(rfc3339),
            why: claim.why.clone(),
            covers: None,
            lost_to: None,
        }
    }

    /// One that its holder lost.
    pub(super) fn lost(ended: &Ended) -> Self {
        let lost_to = ended.rival.as_ref().map(Rival::new);
        Claim { state: "lost".into(), lost_to, ..Claim::new(&ended.claim) }
    }

    /// One in force, as sure as it is.
    pub(super) fn standing(claim: &ModelClaim, standing: Standing) -> Self {
        Claim { state: state(standing).into(), ..Claim::new(claim) }
    }

    /// A claim as somebody else sees it.
    pub(super) fn seen(seen: &Seen) -> Self {
        match (&seen.lost, seen.fallen) {
            (Some(ended), _) => Claim::lost(ended),
            (None, Some(reason)) => Claim { state: reason.as_str().into(), ..Claim::new(&seen.claim) },
            (None, None) => Claim::standing(&seen.claim, seen.standing),
        }
    }

    pub(super) fn covering(self, covers: Option<Coverage>) -> Self {
        Claim { covers, ..self }
    }
}

fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Confirmed => "held",
        Standing::Tentative => "tentative",
    }
}

impl Rival {
    fn new(rival: &ModelRival) -> Self {
        Rival {
            holder: rival.holder.to_string(),
            holds: rival.scope.to_string(),
            token: rival.token,
            since: rfc3339(rival.since),
        }
    }
}

impl Hub {
    pub(super) fn new(state: &HubState) -> Self {
        Hub {
            remote: state.remote.clone(),
            pending: state.pending,
            lost: state.lost,
            last_error: state.failure.as_ref().map(|(_, reason)| reason.clone()),
            last_error_at: state.failure.as_ref().map(|(at, _)| rfc3339(*at)),
            synced: state.synced.map(rfc3339),
        }
    }
}

impl AsOf {
    pub(super) fn new(as_of: &ModelAsOf) -> Self {
        AsOf { seq: as_of.seq, synced: as_of.synced.map(rfc3339) }
    }
}

impl Note {
    pub(super) fn new(note: &ModelNote) -> Self {
        Note {
            id: note.id.to_string(),
            category: note.category.as_str().into(),
            text: note.text.clone(),
            by: note.by.to_string(),
            at: rfc3339(note.at),
            paths: note.paths.iter().map(ToString::to_string).collect(),
            to: note.to.as_ref().map(ToString::to_string),
            run: note.run.as_ref().map(ToString::to_string),
        }
    }
}

impl Handoff {
    /// One with what is known of it here.
    pub(super) fn shown(shown: &Shown) -> Self {
        let missing = (!shown.missing.is_empty()).then(|| Missing {
            commit: shown.missing.commit.as_ref().map(ToString::to_string),
            dirty: shown.missing.dirty.iter().map(ToString::to_string).collect(),
        });
        Handoff { missing, ..Handoff::new(&shown.handoff) }
    }

    pub(super) fn new(handoff: &ModelHandoff) -> Self {
        let document = handoff.document.clone();
        let settled = handoff.state.settled();
        Handoff {
            id: handoff.id.to_string(),
            title: document.title,
            from: handoff.from.to_string(),
            to: handoff.to.as_ref().map(ToString::to_string),
            state: handoff.state.as_str().into(),
            at: rfc3339(handoff.at),
            claims: handoff.claims.iter().map(ToString::to_string).collect(),
            commit: handoff.tree.commit.as_ref().map(ToString::to_string),
            branch: handoff.tree.branch.clone(),
            dirty: handoff.tree.dirty.iter().map(ToString::to_string).collect(),
            settled_by: settled.map(|settled| settled.by.to_string()),
            settled_at: settled.map(|settled| rfc3339(settled.at)),
            document: Document {
                context: document.context,
                files: document.files,
                boundaries: document.boundaries,
                requirements: document.requirements,
                patterns: document.patterns,
                verification: document.verification,
                notes: document.notes,
            },
            missing: None,
            run: handoff.run.as_ref().map(ToString::to_string),
        }
    }
}

impl LogEntry {
    pub(super) fn new(entry: &Entry) -> Self {
        LogEntry {
            seq: entry.seq,
            op: entry.verb.clone(),
            op_id: entry.op_id.to_string(),
            by: entry.by.as_ref().map(ToString::to_string),
            at: rfc3339(entry.at),
            subject: entry.subject.clone(),
        }
    }
}

impl Conflict {
    pub(super) fn new(held: &Held) -> Self {
        Conflict {
            target: held.conflict.scope.target(),
            claim: Claim::new(&held.conflict.claim),
            last_seen: held.last_seen.map(rfc3339),
        }
    }
}

/// All answers, each with its schema, by the command that gives it.
pub fn schemas() -> serde_json::Value {
    let answers = [
        ("instance", schema::<InstanceAnswer>(), "register, whoami, heartbeat, unregister, task"),
        ("claim", schema::<ClaimAnswer>(), "claim"),
        ("check", schema::<CheckAnswer>(), "check"),
        ("release", schema::<ReleaseAnswer>(), "release, cleanup"),
        ("status", schema::<StatusAnswer>(), "status"),
        ("context", schema::<ContextAnswer>(), "context get, context export"),
        ("note", schema::<NoteAnswer>(), "context decision, learning, warning, pattern"),
        ("handoff", schema::<HandoffAnswer>(), "handoff new, show, accept, decline, done; context handoff"),
        ("handoffs", schema::<HandoffsAnswer>(), "handoff list"),
        ("task", schema::<TaskAnswer>(), "tasks new, next"),
        ("task_shown", schema::<TaskShownAnswer>(), "tasks show"),
        ("tasks", schema::<TasksAnswer>(), "tasks list"),
        ("task_done", schema::<TaskDoneAnswer>(), "tasks done"),
        ("log", schema::<LogAnswer>(), "log"),
        ("doctor", schema::<DoctorAnswer>(), "doctor"),
        ("sync", schema::<SyncAnswer>(), "sync"),
        ("compact", schema::<CompactAnswer>(), "compact"),
        ("dump", schema::<Dump>(), "doctor --dump"),
        ("init", schema::<InitAnswer>(), "init"),
        ("verify", schema::<VerifyAnswer>(), "verify"),
        ("agents", schema::<AgentsAnswer>(), "agent list"),
        ("agent", schema::<AgentAnswer>(), "agent show"),
        ("suggestion", schema::<SuggestAnswer>(), "agent suggest"),
        ("trust", schema::<TrustAnswer>(), "trust"),
        ("run", schema::<RunAnswer>(), "delegate, run show, run resume, run answer"),
        ("runs", schema::<RunsAnswer>(), "run list"),
        ("event", schema::<RunLine>(), "a line of --jsonl"),
        ("workflows", schema::<WorkflowsAnswer>(), "workflow list, check, enable, disable"),
        ("emit", schema::<EmitAnswer>(), "emit"),
        ("workflow", schema::<WorkflowAnswer>(), "workflow show, new"),
        ("patterns", schema::<PatternsAnswer>(), "workflow patterns"),
        ("demo", schema::<DemoAnswer>(), "demo"),
        ("error", schema::<ErrorAnswer>(), "any command that fails"),
    ];
    let answers = answers.into_iter().map(|(name, schema, commands)| {
        (name.to_owned(), serde_json::json!({ "commands": commands, "schema": schema }))
    });
    let dialect = "https://json-schema.org/draft/2020-12/schema";
    serde_json::json!({ "$schema": dialect, "schema": SCHEMA, "answers": answers.collect::<serde_json::Map<_, _>>() })
}

/// The schema of what is written; not of what could be read as such, which need not have every key.
fn schema<T: JsonSchema>() -> schemars::Schema {
    schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

impl SyncAnswer {
    /// Of a sync.
    pub fn of(synced: &Synced) -> Self {
        let lost = synced.lost.iter().map(|(loser, ended)| LostClaim {
            kind: ended.claim.scope.kind().into(),
            target: ended.claim.scope.target(),
            loser: loser.to_string(),
            holder: ended.rival.as_ref().map(|rival| rival.holder.to_string()),
            holds: ended.rival.as_ref().map(|rival| rival.scope.to_string()),
            token: ended.rival.as_ref().map(|rival| rival.token),
            since: ended.rival.as_ref().map(|rival| rfc3339(rival.since)),
        });
        let tip = synced.tip.as_ref().map(ToString::to_string);
        let Synced { pushed, received, tries, runs_pushed, runs_received, .. } = *synced;
        let overtaken = synced.overtaken.iter().map(ToString::to_string).collect();
        SyncAnswer::new(pushed, received, lost.collect(), tip, tries, runs_pushed, runs_received, overtaken)
    }
}

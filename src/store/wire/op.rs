//! Operations as they stand in the message of their commit.

use super::{
    Wire,
    ended::WireRival,
    record::{
        WireDoing, WireHandoff, WireInstance, WireNote, decode_paths, encode_paths, end_reason, mode, origin, parse,
        parse_opt, scope, word,
    },
    task::WireTask,
};
use crate::{
    base::{id::OpId, world::Time},
    model::{
        claim::GrantRef,
        op::{Action, Departure, Eviction, Loss, Op, Right, Settlement, Want},
    },
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct WireOp {
    v: u64,
    id: String,
    at: Time,
    by: Option<String>,
    action: WireAction,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum WireAction {
    Create {
        domain: String,
        folds_case: bool,
    },
    Register {
        instance: WireInstance,
    },
    Task {
        task: Option<WireDoing>,
    },
    End {
        departures: Vec<WireDeparture>,
    },
    Claim {
        wants: Vec<WireWant>,
        evict: Vec<WireEviction>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lost: Vec<WireLoss>,
    },
    Release {
        claims: Vec<WireGrant>,
        ended: Vec<String>,
        forced: Option<String>,
    },
    Note {
        note: WireNote,
    },
    Handoff {
        handoff: Box<WireHandoff>,
        claims: Vec<WireGrant>,
    },
    Settle {
        handoff: String,
        how: String,
        claims: Vec<WireGrant>,
    },
    NewTask {
        task: Box<WireTask>,
    },
    FinishTask {
        task: String,
        result: Option<String>,
        claim: Option<WireGrant>,
        forced: Option<String>,
    },
    Bypass {
        fence: String,
        paths: Vec<String>,
        count: u64,
    },
    Compact {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        last: Vec<WireLast>,
    },
    Recover,
    Repair {
        summary: Vec<String>,
    },
}

#[derive(Serialize, Deserialize)]
struct WireGrant {
    claim: String,
    grant: String,
}

#[derive(Serialize, Deserialize)]
struct WireDeparture {
    instance: String,
    claims: Vec<WireGrant>,
    stale: bool,
}

#[derive(Serialize, Deserialize)]
struct WireEviction {
    claim: WireGrant,
    reason: String,
}

#[derive(Serialize, Deserialize)]
struct WireLast {
    clone: String,
    op: String,
}

#[derive(Serialize, Deserialize)]
struct WireLoss {
    want: WireWant,
    rival: WireRival,
}

#[derive(Serialize, Deserialize)]
struct WireWant {
    id: String,
    kind: String,
    target: String,
    mode: String,
    origin: String,
    until: Option<Time>,
    why: Option<String>,
}

/// One line of JSON.
pub(in crate::store) fn encode(op: &Op) -> Result<String, serde_json::Error> {
    let action = match &op.action {
        Action::Create { domain, folds_case } => {
            WireAction::Create { domain: domain.to_string(), folds_case: *folds_case }
        }
        Action::Register(instance) => WireAction::Register { instance: WireInstance::from_model(instance) },
        Action::SetTask(task) => WireAction::Task { task: task.as_ref().map(WireDoing::from_model) },
        Action::End(gone) => WireAction::End { departures: gone.iter().map(departure).collect() },
        Action::Claim { wants, evict, lost } => WireAction::Claim {
            wants: wants.iter().map(want).collect(),
            evict: evict
                .iter()
                .map(|e| WireEviction { claim: grant(&e.claim), reason: e.reason.as_str().into() })
                .collect(),
            lost: lost
                .iter()
                .map(|loss| WireLoss { want: want(&loss.want), rival: WireRival::from_model(&loss.rival) })
                .collect(),
        },
        Action::Release { claims, ended, forced } => WireAction::Release {
            claims: grants(claims),
            ended: ended.iter().map(ToString::to_string).collect(),
            forced: forced.clone(),
        },
        Action::Note(note) => WireAction::Note { note: WireNote::from_model(note) },
        Action::Handoff { handoff, claims } => {
            WireAction::Handoff { handoff: Box::new(WireHandoff::from_model(handoff)), claims: grants(claims) }
        }
        Action::Settle { handoff, how, claims } => {
            WireAction::Settle { handoff: handoff.to_string(), how: how.as_str().into(), claims: grants(claims) }
        }
        Action::NewTask(task) => WireAction::NewTask { task: Box::new(WireTask::from_model(task)) },
        Action::FinishTask { task, result, right } => {
            let (claim, forced) = match right {
                Right::Held(claim) => (Some(grant(claim)), None),
                Right::Force(why) => (None, Some(why.clone())),
            };
            WireAction::FinishTask { task: task.to_string(), result: result.clone(), claim, forced }
        }
        Action::Bypass { fence, paths, count } => {
            WireAction::Bypass { fence: fence.clone(), paths: encode_paths(paths), count: *count }
        }
        Action::Compact { last } => {
            let last = last.iter().map(|(clone, op)| WireLast { clone: clone.to_string(), op: op.to_string() });
            WireAction::Compact { last: last.collect() }
        }
        Action::Recover => WireAction::Recover,
        Action::Repair { summary } => WireAction::Repair { summary: summary.clone() },
    };
    let by = op.by.as_ref().map(ToString::to_string);
    // By way of a value, whose keys are sorted.
    serde_json::to_value(WireOp { v: 1, id: op.id.to_string(), at: op.at, by, action }).map(|value| value.to_string())
}

/// The reverse of [`encode`].
pub(in crate::store) fn decode(text: &str) -> Result<Op, String> {
    let wire: WireOp = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let action = match wire.action {
        WireAction::Create { domain, folds_case } => Action::Create { domain: parse(domain)?, folds_case },
        WireAction::Register { instance } => Action::Register(instance.into_model()?),
        WireAction::Task { task } => Action::SetTask(task.map(Wire::into_model).transpose()?),
        WireAction::End { departures } => Action::End(all(departures, |d| {
            Ok(Departure { instance: parse(d.instance)?, claims: all(d.claims, ungrant)?, stale: d.stale })
        })?),
        WireAction::Claim { wants, evict, lost } => Action::Claim {
            wants: all(wants, unwant)?,
            evict: all(evict, |e| Ok(Eviction { claim: ungrant(e.claim)?, reason: end_reason(&e.reason)? }))?,
            lost: all(lost, |l| Ok(Loss { want: unwant(l.want)?, rival: l.rival.into_model()? }))?,
        },
        WireAction::Release { claims, ended, forced } => {
            Action::Release { claims: all(claims, ungrant)?, ended: all(ended, parse)?, forced }
        }
        WireAction::Note { note } => Action::Note(note.into_model()?),
        WireAction::Handoff { handoff, claims } => {
            Action::Handoff { handoff: Box::new(handoff.into_model()?), claims: all(claims, ungrant)? }
        }
        WireAction::Settle { handoff, how, claims } => {
            let known = [Settlement::Accept, Settlement::Decline, Settlement::Done];
            let how = word("settlement", &how, &known, Settlement::as_str)?;
            Action::Settle { handoff: parse(handoff)?, how, claims: all(claims, ungrant)? }
        }
        WireAction::NewTask { task } => Action::NewTask(Box::new(task.into_model()?)),
        WireAction::FinishTask { task, result, claim, forced } => {
            let right = match (claim, forced) {
                (Some(claim), None) => Right::Held(ungrant(claim)?),
                (None, Some(why)) => Right::Force(why),
                (claim, _) => return Err(format!("done by two rights, or by none: {}", claim.is_some())),
            };
            Action::FinishTask { task: parse(task)?, result, right }
        }
        WireAction::Bypass { fence, paths, count } => Action::Bypass { fence, paths: decode_paths(&paths)?, count },
        WireAction::Compact { last } => Action::Compact { last: all(last, |l| Ok((parse(l.clone)?, parse(l.op)?)))? },
        WireAction::Recover => Action::Recover,
        WireAction::Repair { summary } => Action::Repair { summary },
    };
    Ok(Op { id: parse::<OpId>(wire.id)?, at: wire.at, by: parse_opt(wire.by)?, action })
}

fn all<A, B>(items: Vec<A>, with: impl FnMut(A) -> Result<B, String>) -> Result<Vec<B>, String> {
    items.into_iter().map(with).collect()
}

fn grants(claims: &[GrantRef]) -> Vec<WireGrant> {
    claims.iter().map(grant).collect()
}

fn grant(claim: &GrantRef) -> WireGrant {
    WireGrant { claim: claim.claim.to_string(), grant: claim.grant.to_string() }
}

fn ungrant(wire: WireGrant) -> Result<GrantRef, String> {
    Ok(GrantRef { claim: parse(wire.claim)?, grant: parse(wire.grant)? })
}

fn departure(d: &Departure) -> WireDeparture {
    WireDeparture { instance: d.instance.to_string(), claims: grants(&d.claims), stale: d.stale }
}

fn want(w: &Want) -> WireWant {
    WireWant {
        id: w.id.to_string(),
        kind: w.scope.kind().into(),
        target: w.scope.target(),
        mode: w.mode.as_str().into(),
        origin: w.origin.as_str().into(),
        until: w.until,
        why: w.why.clone(),
    }
}

fn unwant(w: WireWant) -> Result<Want, String> {
    Ok(Want {
        id: parse(w.id)?,
        scope: scope(&w.kind, &w.target)?,
        mode: mode(&w.mode)?,
        origin: origin(&w.origin)?,
        until: w.until,
        why: w.why,
    })
}

//! Whether what an attempt left is usable: its answer, what it wrote, the checklist, and a reviewer's word.
//!
//! The cheap comes first. What was written beside the scope and what fails to be checked make all the rest worth nothing,
//! so that a reviewer, who costs most, is asked last.

use super::{
    Doer,
    answer::{as_it_is, last_value, last_word_of, verdict_of},
    attempt::unusable,
    place::{Place, restored},
    trace::Traces,
    with_hint,
};
use crate::{
    base::{path::named, text},
    model::{
        run::{CheckRecord, Failure, FailureKind, ReviewVerdict},
        verify::{Outcome, Source},
    },
    ops::{
        Error, Session,
        errand::{Ended, Errand},
        tool::Hand,
        verify::{Checked, Plan, What},
    },
    runner::{
        document::fenced,
        work::{Action, Moment, REVIEW, Who},
    },
};
use serde_json::{Value, json};

/// Most bytes that are told of what a failed check printed, and of a diff that is reviewed.
const MAX_OUTPUT: usize = 4000;
const MAX_REVIEWED: usize = 200 * 1024;

/// By what the work of a step is judged: settled before anybody was at work who could change what the repository says of it.
#[derive(Clone)]
pub(super) struct Settled {
    plan: Plan,
    /// Who reviews it, or why nobody does.
    reviewer: Option<Result<Hand, String>>,
}

/// What an attempt comes to.
pub(super) struct Judged {
    pub(super) result: Result<Value, Failure>,
    /// Whether the same agent would come to the same.
    pub(super) is_final: bool,
    /// Whether somebody stopped it meanwhile.
    pub(super) is_stopped: bool,
    pub(super) checks: Vec<CheckRecord>,
    pub(super) review: Option<(ReviewVerdict, String)>,
}

impl Judged {
    pub(super) fn not(failure: Failure, is_final: bool) -> Judged {
        Judged { result: Err(failure), is_final, is_stopped: false, checks: Vec::new(), review: None }
    }
}

impl Doer<'_> {
    /// By what the work is checked, whichever attempt it is.
    pub(super) fn plan(&mut self) -> Result<Plan, Failure> {
        if let Some(settled) = &self.settled {
            return Ok(settled.plan.clone());
        }
        let plan = self.plan_by_contract()?;
        let reviewer = self.work.contract.review.as_ref().map(|who| self.reviewer(who));
        self.settled = Some(Settled { plan: plan.clone(), reviewer });
        Ok(plan)
    }

    /// By what the step says; without that, where it writes, by what the repository says.
    fn plan_by_contract(&self) -> Result<Plan, Failure> {
        let bad = |error| Failure { kind: FailureKind::Internal, text: with_hint(&error) };
        let mut plan = match &self.work.contract.verify {
            None if self.work.scope.is_empty() => return Ok(Plan::default()),
            Some(checks) if checks.is_empty() => return Ok(Plan::default()),
            None => self.session.plan_work(&[]).map_err(bad)?,
            Some(checks) => self.session.plan_work(checks).map_err(bad)?,
        };
        if self.site.consents {
            plan.consent(Source::Guess);
        }
        // The scope is always looked at, and first.
        plan.checks.retain(|check| !matches!(check.what, What::Scope));
        Ok(plan)
    }

    fn reviewer(&self, who: &Who) -> Result<Hand, String> {
        let Who::Agent { tool, persona } = who else { return Err("the caller reviews by reading the diff".into()) };
        let persona = persona.as_deref().or(Some("reviewer"));
        let hands = self.session.hands(tool.as_deref(), persona).map_err(|error| with_hint(&error))?;
        let hand = hands.into_iter().find(Hand::is_installed);
        hand.ok_or_else(|| "its program is not on this machine".to_owned())
    }

    pub(super) fn judge(
        &mut self,
        ended: &Ended,
        plan: &Plan,
        place: Option<&Place>,
        traces: Option<&Traces>,
    ) -> Judged {
        // Most commands have nothing to say when all is well.
        let may_be_silent = matches!(self.work.action, Action::Run { .. });
        if let Some(failure) = unusable(ended).filter(|why| why.kind != FailureKind::Empty || !may_be_silent) {
            return Judged::not(failure, ended.retry_is_useless());
        }
        let value = match self.shaped(ended.told.structured.as_ref(), &ended.told.result) {
            Ok(value) => value,
            Err(text) => return Judged::not(Failure { kind: FailureKind::Shape, text }, false),
        };
        if let Err(failure) = self.holds(place, traces) {
            return Judged::not(failure, false);
        }
        (self.tell)(Moment::Status(crate::model::run::StepStatus::Verifying));
        let (checked, is_stopped) = self.check(plan, place, traces);
        let checks: Vec<CheckRecord> = checked.iter().map(|checked| checked.record()).collect();
        let mut judged = Judged { result: Ok(value), is_final: false, is_stopped, checks, review: None };
        if let Some(failure) = failed(&checked) {
            judged.result = Err(failure);
        } else if let Some(reviewer) = &self.work.contract.review
            && !is_stopped
        {
            self.review(reviewer, &mut judged, place, traces);
        }
        judged
    }

    /// The answer in the shape that was asked for.
    pub(super) fn shaped(&self, structured: Option<&Value>, said: &str) -> Result<Value, String> {
        let Some(shape) = &self.work.contract.shape else {
            return Ok(Value::String(said.trim_end_matches('\n').to_owned()));
        };
        match structured.cloned().or_else(|| last_value(said)) {
            Some(value) => {
                shape.check(value).map_err(|why| format!("the answer has not the shape that was asked for: {why}"))
            }
            // A number or a word may be all of it.
            None => shape.check(as_it_is(said)).map_err(|_| {
                format!("the answer has no JSON in it, and has to be one value of this shape: {}", shape.schema())
            }),
        }
    }

    /// Whether its claims held, and it wrote nothing beside them.
    fn holds(&self, place: Option<&Place>, traces: Option<&Traces>) -> Result<(), Failure> {
        let (Some(place), Some(traces)) = (place, traces) else { return Ok(()) };
        if let Some(text) = traces.strayed(place) {
            return Err(Failure { kind: FailureKind::Scope, text });
        }
        if let Some(why) = &traces.unseen {
            let text = format!("not all of what it did could be seen: {why}");
            return Err(Failure { kind: FailureKind::Internal, text });
        }
        match self.session.has_lost(&place.worker) {
            Ok(false) => Ok(()),
            Ok(true) => {
                let text = "its claim on the scope was ended while it worked".to_owned();
                Err(Failure { kind: FailureKind::ClaimLost, text })
            }
            Err(error) => Err(Failure { kind: FailureKind::Internal, text: with_hint(&error) }),
        }
    }

    /// Makes the checks, one after the other. The first that fails is enough, and the rest is not made.
    fn check(&self, plan: &Plan, place: Option<&Place>, traces: Option<&Traces>) -> (Vec<Checked>, bool) {
        let mut all = Vec::new();
        if let Some(traces) = traces.filter(|_| place.is_some_and(Place::may_write)) {
            all.push(Checked::of_scope(named(&traces.inside)));
            if self.work.contract.verify.as_ref().is_some_and(Vec::is_empty) {
                all.push(Checked::left_out());
            }
        }
        let session = place.map_or(&self.session, |place| self.session_in(place));
        let beat = || place.iter().for_each(|place| self.session.beat_for(&place.worker.id));
        let mut is_stopped = false;
        for planned in &plan.checks {
            let has_failed = all.iter().any(|checked: &Checked| checked.outcome == Outcome::Failed);
            let checked = if has_failed || is_stopped {
                planned.not_run("one before it has failed")
            } else if matches!(planned.what, What::Changed) {
                let changed = traces.map_or(&[][..], |traces| &traces.inside);
                let words =
                    if changed.is_empty() { "nothing has changed in the scope".to_owned() } else { named(changed) };
                planned.looked(!changed.is_empty(), words)
            } else {
                (self.tell)(Moment::Checks(planned.name.clone()));
                let checked = session.make_check(planned, &self.mark(self.number()), &self.site.interrupts, beat);
                is_stopped = self.site.is_stopped();
                checked
            };
            (self.tell)(Moment::Checked(checked.clone()));
            all.push(checked);
        }
        (all, is_stopped)
    }

    /// Asks a reviewer, whose verdict decides.
    fn review(&self, who: &Who, judged: &mut Judged, place: Option<&Place>, traces: Option<&Traces>) {
        (self.tell)(Moment::Checks(format!("{REVIEW}{who}")));
        let not_made = |why: String| CheckRecord {
            name: format!("{REVIEW}{who}"),
            source: Source::Caller,
            outcome: Outcome::NotRun,
            exit: None,
            took: None,
            why: Some(why),
            digest: None,
        };
        match self.asked_reviewer(place, traces) {
            Err(why) => {
                (self.tell)(Moment::Said(format!("no review by {who}: {why}")));
                judged.checks.push(not_made(why));
            }
            Ok((verdict, notes)) => {
                (self.tell)(Moment::Reviewed(verdict, notes.clone()));
                let kind = match verdict {
                    ReviewVerdict::Pass | ReviewVerdict::Minor => None,
                    ReviewVerdict::Missed => Some(FailureKind::Missed),
                    ReviewVerdict::Wrong => Some(FailureKind::Wrong),
                };
                if let Some(kind) = kind {
                    judged.result = Err(Failure { kind, text: format!("the reviewer says: {notes}") });
                }
                judged.review = Some((verdict, notes));
            }
        }
    }

    fn asked_reviewer(
        &self,
        place: Option<&Place>,
        traces: Option<&Traces>,
    ) -> Result<(ReviewVerdict, String), String> {
        let reviewer = self.settled.as_ref().and_then(|settled| settled.reviewer.as_ref());
        let hand = reviewer.ok_or("nobody was to review it")?.as_ref().map_err(String::clone)?;
        let prompt = self.review_task(hand.brief.as_str(), place, traces)?;
        let number = self.number();
        let name = self.step.path.as_str().replace('/', ".");
        let run = self.site.recorder.run();
        let fail = |error| with_hint(&error);
        let folder = self.session.make_run_folder(run).map_err(fail)?;
        let schema = review_schema().to_string();
        let schema = self.session.write_beside(run, "review.schema.json", schema.as_bytes()).map_err(fail)?;
        let dir = place.map_or_else(|| self.site.root.clone(), |place| self.dir_of(place));
        let errand = Errand {
            prompt: &prompt,
            stdin: None,
            dir: &dir,
            may_write: false,
            schema: hand.takes_schema().then_some(schema.as_path()),
            instance: None,
            env: &self.work.env,
            mark: &Session::mark_of_review(&self.mark(number)),
            log: &folder.join(format!("{name}.{number}.review.log")),
            timeout: self.work.timeout,
            stall: self.work.stall,
        };
        let ended = self.session.send(hand, &errand, &self.site.interrupts, &mut |_| {
            place.iter().for_each(|place| self.session.beat_for(&place.worker.id));
        });
        let ended = ended.map_err(fail)?;
        if !hand.is_held() {
            self.has_only_read(place, traces)?;
        }
        if let Some(failure) = unusable(&ended) {
            return Err(failure.text);
        }
        let text = &ended.told.result;
        let said = ended.told.structured.clone().or_else(|| last_value(text));
        verdict_of(said.as_ref()).or_else(|| last_word_of(text)).ok_or_else(|| "its answer has no verdict".to_owned())
    }

    /// Whether a reviewer that nothing keeps from writing has left all as it was. What it did to the change is put back.
    fn has_only_read(&self, place: Option<&Place>, traces: Option<&Traces>) -> Result<(), String> {
        let (Some(place), Some(traces)) = (place, traces) else { return Ok(()) };
        let there = self.session_in(place);
        let look = || {
            let now = there.capture_after(&traces.after)?;
            let changed = there.changed_between(&traces.after, &now)?.into_iter().map(|change| change.path);
            let (inside, beside): (Vec<_>, Vec<_>) = changed.partition(|path| place.worker.may_write(path));
            Ok((now, inside, there.strays(&place.worker, &beside)?))
        };
        let (now, inside, strays) = look().map_err(|error: Error| with_hint(&error))?;
        let all = [&inside[..], &strays[..]].concat();
        if all.is_empty() {
            return Ok(());
        }
        let left = restored(there, &traces.after, &now, &inside).err().map(|left| format!("; {left}"));
        Err(format!("it was to change nothing, and changed {}{}", named(&all), left.unwrap_or_default()))
    }

    fn review_task(&self, brief: &str, place: Option<&Place>, traces: Option<&Traces>) -> Result<String, String> {
        let (Some(place), Some(traces)) = (place, traces) else {
            return Err("there is no change to be reviewed".into());
        };
        let session = self.session_in(place);
        let diff =
            session.diff_of(&place.before, &traces.after, Some(&traces.inside)).map_err(|error| with_hint(&error))?;
        let task = match &self.work.action {
            crate::runner::work::Action::Prompt { task, .. } => {
                let accept: String = task.accept.iter().map(|criterion| format!("- {criterion}\n")).collect();
                format!("{}\n\n{accept}", task.text)
            }
            crate::runner::work::Action::Run { line } => line.clone(),
        };
        Ok(format!(
            "{brief}\n\n---\n\n# Task: Review this change\n\nIt was made for this task:\n\n{}\nThe change:\n\n{}\n\
             Change no file. Answer with one JSON value and nothing else: {{\"verdict\": \"pass|minor|missed|wrong\", \
             \"notes\": \"…\"}}. pass: as asked for. minor: right, with small things to be mended, which the notes name. \
             missed: a requirement is not met, which the notes name. wrong: the approach is wrong, and should be taken back.\n",
            fenced("markdown", &task),
            fenced("diff", text::head(&diff.text, MAX_REVIEWED)),
        ))
    }
}

/// The first check that failed, with what it printed, for whoever tries next.
fn failed(checked: &[Checked]) -> Option<Failure> {
    let failed = checked.iter().find(|checked| checked.outcome == Outcome::Failed)?;
    let command = failed.command.as_ref().filter(|command| **command != failed.name);
    let command = command.map(|command| format!(" ({command})")).unwrap_or_default();
    let how = match (&failed.why, failed.exit) {
        (Some(why), _) => why.clone(),
        (None, Some(exit)) => format!("exit code {exit}"),
        (None, None) => "it failed".to_owned(),
    };
    let output = text::tail(failed.output.trim_end(), MAX_OUTPUT);
    Some(Failure {
        kind: FailureKind::Check,
        text: format!("the check {}{command} failed: {how}\n{output}", failed.name),
    })
}

fn review_schema() -> Value {
    let verdicts: Vec<&str> = ReviewVerdict::ALL.iter().map(|verdict| verdict.as_str()).collect();
    json!({
        "type": "object",
        "properties": { "verdict": { "type": "string", "enum": verdicts }, "notes": { "type": "string" } },
        "required": ["verdict", "notes"],
        "additionalProperties": false,
    })
}

use super::{Context, done};
use crate::{
    base::id::ClaimId,
    cli::{error::usage, exit::Exit, format, json::ReleaseAnswer},
};

/// Give claims back
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Claim ids, or the beginning of them, or all
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
    /// End somebody else's claim; for a person, not for an agent
    #[arg(long, requires = "why")]
    pub(crate) force: bool,
    /// Why it is ended; its holder is told
    #[arg(long, value_name = "TEXT", requires = "force")]
    pub(crate) why: Option<String>,
}

impl Args {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<Exit> {
        let session = cx.session()?;
        let all = self.ids == ["all"];
        let released = match (self.force, all) {
            (true, true) => {
                return Err(usage("`all` means your own claims, which need no force", "name the claims to end"));
            }
            (true, false) => session.release_by_force(&self.ids, self.why.as_deref().unwrap_or_default()),
            (false, true) => session.release_all(),
            (false, false) => session.release(&self.ids),
        };
        cx.tell_notices(&session);
        let released = released?;
        let answered = cx.ui.answer(
            || {
                let ids = released.claims.iter().map(|claim| &claim.id).chain(&released.settled);
                ReleaseAnswer::new(ids.map(ClaimId::to_string).collect(), Vec::new())
            },
            |out| {
                for claim in &released.claims {
                    writeln!(out, "released {} ({})", format::target(&claim.scope.target()), claim.scope.kind())?;
                }
                released.settled.iter().try_for_each(|id| writeln!(out, "let go of the lost claim {id}"))?;
                if released.claims.is_empty() && released.settled.is_empty() {
                    writeln!(out, "nothing to release")?;
                }
                Ok(())
            },
        );
        done("the claims were released", answered)?;
        Ok(Exit::Done)
    }
}

//! The record of a claim that was lost, and of the claim it was lost to.

use super::record::{Wire, WireClaim, end_reason, holder, parse_opt, scope};
use crate::{
    base::world::Time,
    model::claim::{Ended, Rival},
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WireEnded {
    v: u64,
    claim: WireClaim,
    reason: String,
    at: Time,
    by: Option<String>,
    why: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rival: Option<WireRival>,
}

/// Whoever was first, beside a claim that was lost.
#[derive(Serialize, Deserialize)]
pub(super) struct WireRival {
    holder: String,
    kind: String,
    target: String,
    token: u64,
    since: Time,
}

impl WireRival {
    pub(super) fn from_model(rival: &Rival) -> Self {
        WireRival {
            holder: rival.holder.to_string(),
            kind: rival.scope.kind().into(),
            target: rival.scope.target(),
            token: rival.token,
            since: rival.since,
        }
    }

    pub(super) fn into_model(self) -> Result<Rival, String> {
        Ok(Rival {
            holder: holder(self.holder)?,
            scope: scope(&self.kind, &self.target)?,
            token: self.token,
            since: self.since,
        })
    }
}

impl Wire<Ended> for WireEnded {
    fn from_model(e: &Ended) -> Self {
        WireEnded {
            v: 1,
            claim: WireClaim::from_model(&e.claim),
            reason: e.reason.as_str().into(),
            at: e.at,
            by: e.by.as_ref().map(ToString::to_string),
            why: e.why.clone(),
            rival: e.rival.as_ref().map(WireRival::from_model),
        }
    }

    fn into_model(self) -> Result<Ended, String> {
        Ok(Ended {
            claim: self.claim.into_model()?,
            reason: end_reason(&self.reason)?,
            at: self.at,
            by: parse_opt(self.by)?,
            why: self.why,
            rival: self.rival.map(WireRival::into_model).transpose()?,
        })
    }
}

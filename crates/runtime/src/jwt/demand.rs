//! The policy at work.

use telehash_hashname::Hashname;
use telehash_link::MessageSet;

use super::{JwtPolicy, JwtRefusal};
use crate::events::MeshEvent;
use crate::shared::Shared;
use crate::state::Trust;

impl Shared {
    /// Whether this stranger may go on to the accept policy, as far as tokens matter. An
    /// introduction has no `round`. If it may not, that is reported here, and nowhere else.
    pub(crate) fn passes_jwt(&self, hashname: Hashname, round: Option<&MessageSet>) -> bool {
        let Some(policy) = &self.jwt else {
            return true;
        };
        // It answers us: whom we link to ourselves needs none.
        if round.is_some() && self.door.is_sought(&hashname) {
            return true;
        }
        if policy.spares_trusted && self.is_trusted(&hashname) {
            return true;
        }
        match self.judge(policy, &hashname, round) {
            Ok(()) => true,
            Err(reason) => {
                tracing::info!(peer = %hashname, %reason, "refused for want of a good jwt");
                self.events
                    .publish(MeshEvent::JwtRefused { hashname, reason });
                false
            }
        }
    }

    fn judge(
        &self,
        policy: &JwtPolicy,
        sender: &Hashname,
        round: Option<&MessageSet>,
    ) -> Result<(), JwtRefusal> {
        let round = round.ok_or(JwtRefusal::Introduced)?;
        policy.judge(&self.hashname, sender, self.clock.unix(), round)
    }

    fn is_trusted(&self, hashname: &Hashname) -> bool {
        self.known.trust(hashname) == Trust::Trusted || self.door.is_allowed(hashname)
    }
}

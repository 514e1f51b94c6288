use std::sync::Arc;

use econnector_base::Secret;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The person or program that acts: the physician herself, her secretary, or a hospital's engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// AeS' stable identifier (`sub`, or `act.sub` of an exchanged token).
    pub id: String,
    /// Name to show; the identifier where AeS gives no name.
    pub name: String,
}

/// The physician in whose name something is signed and sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Physician {
    /// eHealthID, exactly 10 digits.
    pub ehealth_id: String,
    /// Name to show.
    pub name: String,
    /// Provider codes (8 digits each) AeS knows for her; may be empty.
    pub provider_codes: Vec<String>,
}

/// Who acts for whom. Actor and physician are both recorded: they differ when a secretary or an engine acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Who acts.
    pub actor: Actor,
    /// For whom.
    pub physician: Physician,
    /// End of the token's life.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// The token is the actor's own, and lists the physician among those she may act for (MonCabinet). It is not the physician's token.
    pub mandate: bool,
}

impl Principal {
    /// Who acts for whom, in one word: what one person allowed is allowed to nobody else, and in no other physician's name.
    #[must_use]
    pub fn in_whose_name(&self) -> String {
        self.actor.in_the_name_of(&self.physician)
    }
}

impl Actor {
    /// This person in a physician's name, in one word: `sub` and eHealthID. See [`Principal::in_whose_name`].
    #[must_use]
    pub fn in_the_name_of(&self, physician: &Physician) -> String {
        format!("{} {}", self.id, physician.ehealth_id)
    }
}

/// A principal together with the token that proves it to the authorities.
#[derive(Clone)]
pub struct Authorized {
    /// Who acts for whom.
    pub principal: Principal,
    /// The OIDC access token.
    pub token: Arc<Secret>,
}

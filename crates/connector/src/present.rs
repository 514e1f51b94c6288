//! Who is there, as far as it is known without a token being renewed; and what a physician's mandate does not cover.

use econnector_forms::{Act, Pack};
use econnector_identity::{Actor, IdentityError, Physician, Principal, SessionState};
use time::OffsetDateTime;

use crate::{Caller, Connector, Error};

/// Who looks, or is about to do something. On the desktop there may be nobody, or somebody who has not chosen for whom she works.
pub(crate) struct Present {
    pub(crate) actor: Option<Actor>,
    pub(crate) physician: Option<Physician>,
    /// The physician lets the actor work for her.
    pub(crate) mandate: bool,
    until: OffsetDateTime,
    /// There is somebody to choose.
    choice: bool,
}

impl Connector {
    pub(crate) async fn present(&self, caller: &Caller) -> Result<Present, Error> {
        if !matches!(caller, Caller::OwnSession) {
            let Principal {
                actor,
                physician,
                until,
                mandate,
            } = self.authorized(caller).await?.principal;
            return Ok(Present {
                actor: Some(actor),
                physician: Some(physician),
                mandate,
                until,
                choice: false,
            });
        }
        Ok(match self.identity.session().await.standing {
            SessionState::LoggedIn {
                actor,
                physician,
                acts_for,
                mandate,
                until,
                ..
            } => Present {
                actor: Some(actor),
                physician,
                mandate,
                until,
                choice: !acts_for.is_empty(),
            },
            SessionState::LoggedOut | SessionState::LoggingIn { .. } => Present {
                actor: None,
                physician: None,
                mandate: false,
                until: OffsetDateTime::UNIX_EPOCH,
                choice: false,
            },
        })
    }

    pub(crate) async fn viewer(&self, caller: &Caller) -> Result<Option<String>, Error> {
        Ok(self.physician(caller).await?.map(|physician| physician.ehealth_id))
    }

    /// The physician on whose behalf somebody looks; on the desktop there may be none.
    pub(crate) async fn physician(&self, caller: &Caller) -> Result<Option<Physician>, Error> {
        Ok(self.present(caller).await?.physician)
    }
}

impl Present {
    /// Somebody who works for a physician, or why there is nobody.
    pub(crate) fn principal(self) -> Result<Principal, IdentityError> {
        let actor = self.actor.ok_or(IdentityError::LoginRequired)?;
        let nobody = if self.choice {
            IdentityError::PhysicianNotChosen
        } else {
            IdentityError::NoPhysician
        };
        Ok(Principal {
            actor,
            physician: self.physician.ok_or(nobody)?,
            until: self.until,
            mandate: self.mandate,
        })
    }
}

/// Whether this may be done with a form: what the form leaves to the physician, her mandate does not cover.
pub(crate) fn may(principal: &Principal, pack: &Pack, act: Act) -> Result<(), Error> {
    if pack.is_physician_only(act) {
        herself(principal.mandate, &principal.physician)
    } else {
        Ok(())
    }
}

/// Whether it is the physician herself, for what no mandate covers.
pub(crate) fn herself(mandate: bool, physician: &Physician) -> Result<(), Error> {
    if mandate {
        let physician = physician.name.clone();
        Err(Error::PhysicianOnly { physician })
    } else {
        Ok(())
    }
}

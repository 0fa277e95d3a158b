//! What a token with a good signature says (RFC 7519).

use std::time::Duration;

use serde_json::{Map, Value};

use super::JwtRefusal;

#[derive(Debug)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Whether it is valid now, by our own clock.
    pub(super) fn check_time(&self, unix: Duration, leeway: Duration) -> Result<(), JwtRefusal> {
        let (now, leeway) = (unix.as_secs_f64(), leeway.as_secs_f64());
        let expires = self.0.get("exp").ok_or(JwtRefusal::NeverExpires)?;
        if now >= date(expires)? + leeway {
            return Err(JwtRefusal::Expired);
        }
        match self.0.get("nbf").map(date).transpose()? {
            Some(begins) if now + leeway < begins => Err(JwtRefusal::NotYetValid),
            _ => Ok(()),
        }
    }

    /// `aud` is a text or a list of texts.
    pub(super) fn names_audience(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one == audience),
            _ => false,
        }
    }

    pub(super) fn names_sender(&self, sender: &str) -> bool {
        let confirmed = self.0.get("cnf").and_then(|cnf| cnf.get("kid"));
        [self.0.get("sub"), confirmed]
            .into_iter()
            .flatten()
            .any(|named| named == sender)
    }
}

/// Seconds since 1970, a fraction perhaps.
fn date(value: &Value) -> Result<f64, JwtRefusal> {
    value.as_f64().ok_or(JwtRefusal::Malformed)
}

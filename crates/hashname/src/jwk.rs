//! Link JSON as a JSON web key (links.md, Files).

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use crate::json;
use crate::link_json::{MAX_LINK_JSON_LEN, take_hashname, take_paths};
use crate::{Csid, KeySet, LinkJson, LinkJsonError};

impl LinkJson {
    /// The JWK form: `{"kty":"hashname","kid":…,"use":"link","cs3a":…,"paths"?:[…]}`.
    ///
    /// `None` unless every key is known in full, since a JWK has no place for an intermediate and
    /// its `kid` has to match its keys. Fields in `extra` are left out.
    #[must_use]
    pub fn jwk(&self) -> Option<Map<String, Value>> {
        if self.keys.is_empty() || !self.keys.is_complete() {
            return None;
        }
        let mut jwk = Map::new();
        jwk.insert("kty".into(), "hashname".into());
        jwk.insert("kid".into(), self.hashname.to_string().into());
        jwk.insert("use".into(), "link".into());
        for (csid, key) in self.keys.to_json() {
            jwk.insert(format!("cs{csid}"), key);
        }
        if !self.paths.is_empty() {
            jwk.insert("paths".into(), self.paths_json());
        }
        Some(jwk)
    }

    /// Reads the JWK form. Members that it does not define are ignored, as JOSE asks.
    ///
    /// # Errors
    ///
    /// See [`LinkJsonError`]; `kty`, `kid` and every key are required.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, LinkJsonError> {
        if jwk.get("kty").and_then(Value::as_str) != Some("hashname") {
            return Err(LinkJsonError::NotHashnameJwk);
        }
        let mut members = jwk.clone();
        let hashname = take_hashname(&mut members, "kid")?.ok_or(LinkJsonError::Unnamed)?;
        let paths = take_paths(&mut members)?;
        let keys = members.into_iter().filter_map(key_member).collect();
        let named_by_keys = Self::new(KeySet::from_json(&keys)?)?;
        if named_by_keys.hashname != hashname {
            return Err(LinkJsonError::Mismatch);
        }
        Ok(Self {
            paths,
            ..named_by_keys
        })
    }

    /// Reads the text of a JWK, see [`LinkJson::from_jwk`].
    ///
    /// # Errors
    ///
    /// See [`LinkJsonError`].
    pub fn parse_jwk(text: &str) -> Result<Self, LinkJsonError> {
        Self::from_jwk(&json::parse_object(text, MAX_LINK_JSON_LEN)?)
    }
}

/// `"cs3a": …` as `"3a": …`; other members, even one such as `csrf`, are no keys.
fn key_member((name, value): (String, Value)) -> Option<(String, Value)> {
    let csid: Csid = name.strip_prefix("cs")?.parse().ok()?;
    Some((csid.to_string(), value))
}

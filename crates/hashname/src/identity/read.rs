//! Reading an identity without leaving copies of its secrets in memory.
//!
//! A general JSON value would hold the secrets in strings that nobody wipes, so they are picked
//! out while parsing.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{IDENTITY_VERSION, IdentityError, IdentityJson, MAX_IDENTITY_LEN, Secret};
use crate::json::{ValueSeed, refuse_repeated};
use crate::keys::MAX_CSIDS;
use crate::{Csid, CsidError, Hashname, KeySet, KeySetError};

pub(super) fn parse(text: &str) -> Result<IdentityJson, IdentityError> {
    if text.len() > MAX_IDENTITY_LEN {
        let len = text.len();
        return Err(IdentityError::TooLong { len });
    }
    let mut raw = parse_raw(text).map_err(|error| without_content(&error))?;

    // First of all, since anything else may have changed in a later version.
    check_version(&raw)?;
    let hashname = raw.hashname()?;
    let identity = IdentityJson::new(raw.keys()?, raw.secrets()?)?;
    if hashname.is_some_and(|hashname| hashname != identity.hashname) {
        return Err(IdentityError::Mismatch);
    }
    Ok(IdentityJson {
        extra: raw.fields,
        ..identity
    })
}

fn parse_raw(text: &str) -> Result<RawIdentity, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let raw = json.deserialize_map(IdentityVisitor)?;
    json.end()?;
    Ok(raw)
}

/// serde's messages quote values that have the wrong type; only the position is safe to show.
fn without_content(error: &serde_json::Error) -> IdentityError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => IdentityError::Structure { line, column },
        Category::Io | Category::Syntax | Category::Eof => IdentityError::Syntax { line, column },
    }
}

fn check_version(raw: &RawIdentity) -> Result<(), IdentityError> {
    match raw.version {
        Some(found) if found > IDENTITY_VERSION => Err(IdentityError::Version { found }),
        _ => Ok(()),
    }
}

/// The parts of an identity as the text has them.
#[derive(Default)]
struct RawIdentity {
    version: Option<u64>,
    hashname: Option<String>,
    keys: Option<Map<String, Value>>,
    secrets: Option<Vec<(String, Zeroizing<String>)>>,
    fields: Map<String, Value>,
}

impl RawIdentity {
    fn hashname(&self) -> Result<Option<Hashname>, IdentityError> {
        let text = self.hashname.as_deref();
        Ok(text.map(str::parse).transpose()?)
    }

    fn keys(&mut self) -> Result<KeySet, IdentityError> {
        Ok(KeySet::from_json(&self.keys.take().unwrap_or_default())?)
    }

    fn secrets(&mut self) -> Result<BTreeMap<Csid, Secret>, IdentityError> {
        let mut secrets = BTreeMap::new();
        for (name, text) in self.secrets.take().unwrap_or_default() {
            let csid = name
                .parse()
                .map_err(|error: CsidError| KeySetError::from(error))?;
            let secret =
                Secret::from_base32(&text).map_err(|_| IdentityError::SecretText { csid })?;
            secrets.insert(csid, secret);
        }
        Ok(secrets)
    }
}

struct IdentityVisitor;

impl<'de> Visitor<'de> for IdentityVisitor {
    type Value = RawIdentity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identity")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<RawIdentity, A::Error> {
        let mut raw = RawIdentity::default();
        while let Some(name) = access.next_key::<String>()? {
            match name.as_str() {
                "version" => set_once(&mut raw.version, &name, access.next_value()?)?,
                "hashname" => set_once(&mut raw.hashname, &name, access.next_value()?)?,
                "keys" => match access.next_value_seed(ValueSeed::inside(0)?)? {
                    Value::Object(keys) => set_once(&mut raw.keys, &name, keys)?,
                    _ => return Err(de::Error::custom("the keys are no object")),
                },
                "secrets" => {
                    let secrets = access.next_value_seed(SecretsVisitor)?;
                    set_once(&mut raw.secrets, &name, secrets)?;
                }
                _ => {
                    refuse_repeated(&name, raw.fields.contains_key(&name))?;
                    let value = access.next_value_seed(ValueSeed::inside(0)?)?;
                    raw.fields.insert(name, value);
                }
            }
        }
        Ok(raw)
    }
}

fn set_once<T, E: de::Error>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), E> {
    refuse_repeated(name, slot.is_some())?;
    *slot = Some(value);
    Ok(())
}

/// Reads `{"3a":base32}` into strings that are wiped.
struct SecretsVisitor;

impl<'de> DeserializeSeed<'de> for SecretsVisitor {
    type Value = Vec<(String, Zeroizing<String>)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for SecretsVisitor {
    type Value = Vec<(String, Zeroizing<String>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of secrets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut secrets = Self::Value::new();
        while let Some(name) = access.next_key::<String>()? {
            refuse_repeated(&name, secrets.iter().any(|(seen, _)| *seen == name))?;
            if secrets.len() == MAX_CSIDS {
                return Err(de::Error::custom("too many secrets"));
            }
            let text = access.next_value_seed(SecretVisitor)?;
            secrets.push((name, text));
        }
        Ok(secrets)
    }
}

/// Reads a string into one that is wiped.
struct SecretVisitor;

impl<'de> DeserializeSeed<'de> for SecretVisitor {
    type Value = Zeroizing<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for SecretVisitor {
    type Value = Zeroizing<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Zeroizing::new(text.into()))
    }
}

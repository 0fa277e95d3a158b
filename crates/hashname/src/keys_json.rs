//! Key sets as JSON objects: `{"3a": base32 key}` in files and announcements, and the form
//! attached to a handshake.

use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use crate::base32;
use crate::{Csid, Intermediate, KeyPart, KeySet, KeySetError};

impl KeySet {
    /// The keys that are known in full, `{"1a": base32, "3a": base32}`, ascending.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let full = |(csid, part): (Csid, &KeyPart)| match part {
            KeyPart::Key(key) => Some((csid.to_string(), base32::encode(key).into())),
            KeyPart::Intermediate(_) => None,
        };
        self.iter().filter_map(full).collect()
    }

    /// Reads `{"1a": base32, "3a": base32}`.
    ///
    /// # Errors
    ///
    /// A name that is no csid, a value that is no base32 string, or a key that a [`KeySet`]
    /// refuses.
    pub fn from_json(json: &Map<String, Value>) -> Result<Self, KeySetError> {
        let mut keys = Self::new();
        for (name, value) in json {
            let csid: Csid = name.parse()?;
            let text = value.as_str().ok_or(KeySetError::NotText { csid })?;
            let key = base32::decode(text).map_err(|error| KeySetError::Base32 { csid, error })?;
            keys.insert_key(csid, key)?;
        }
        Ok(keys)
    }

    /// The intermediates of the keys that are not known in full, `{"1a": base32}`, ascending.
    pub(crate) fn intermediates_to_json(&self) -> Map<String, Value> {
        let partial = |(csid, part): (Csid, &KeyPart)| match part {
            KeyPart::Intermediate(hash) => Some((csid.to_string(), hash.to_string().into())),
            KeyPart::Key(_) => None,
        };
        self.iter().filter_map(partial).collect()
    }

    /// Adds what `{"1a": base32 intermediate}` says.
    pub(crate) fn add_intermediates(
        &mut self,
        json: &Map<String, Value>,
    ) -> Result<(), KeySetError> {
        for (name, value) in json {
            let csid: Csid = name.parse()?;
            self.insert_intermediate(csid, intermediate_of_value(csid, value)?)?;
        }
        Ok(())
    }

    /// The head of the packet attached to a handshake, whose body is the raw key of the cipher set
    /// `used`: `{"3a":null,"2a":base32 intermediate,"1a":base32 intermediate}` (links.md, Handshake).
    ///
    /// The used set comes first with `null`, the others follow in descending order, as JS writes
    /// them. C drops a handshake whose used set is absent.
    #[must_use]
    pub fn attached_head(&self, used: Csid) -> Map<String, Value> {
        let others = self.iter().rev().filter(|&(csid, _)| csid != used);
        core::iter::once((used.to_string(), Value::Null))
            .chain(others.map(|(csid, part)| {
                let text = part.intermediate().to_string();
                (csid.to_string(), text.into())
            }))
            .collect()
    }

    /// The key set that a handshake attaches: `key` is the packet's body, for cipher set `used`,
    /// and `head` gives the intermediates of the others.
    ///
    /// The used set may be `null` (JS, and us), `true` (C), the matching intermediate (JS
    /// introductions) or absent. Names that are no csid are left to later versions.
    ///
    /// # Errors
    ///
    /// Anything else under the used set, an intermediate that is no base32 string of 32 bytes, or
    /// a set that a [`KeySet`] refuses.
    pub fn from_attached(
        used: Csid,
        head: &Map<String, Value>,
        key: &[u8],
    ) -> Result<Self, KeySetError> {
        let mut keys = Self::new();
        keys.insert_key(used, key.into())?;
        for (name, value) in head {
            let Ok(csid) = name.parse::<Csid>() else {
                continue;
            };
            let is_placeholder = matches!(value, Value::Null | Value::Bool(true));
            if csid == used && is_placeholder {
                continue;
            }
            keys.insert_intermediate(csid, intermediate_of_value(csid, value)?)?;
        }
        Ok(keys)
    }
}

fn intermediate_of_value(csid: Csid, value: &Value) -> Result<Intermediate, KeySetError> {
    let text = value.as_str().ok_or(KeySetError::NotText { csid })?;
    text.parse()
        .map_err(|error| KeySetError::Base32 { csid, error })
}

//! Reading the fields of a head.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::check_size;
use super::text::{MAX_REF, MAX_REFS};
use crate::error::MessageError;
use crate::id::Id;

/// The head of a message that is being read.
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn text(&self, name: &'static str) -> Result<&'a str, MessageError> {
        self.maybe_text(name)?.ok_or(MessageError::Field(name))
    }

    pub(super) fn maybe_text(&self, name: &'static str) -> Result<Option<&'a str>, MessageError> {
        self.maybe(name, Value::as_str)
    }

    /// Text that may be missing, which is as good as none.
    pub(super) fn bounded_text(
        &self,
        name: &'static str,
        limit: usize,
    ) -> Result<String, MessageError> {
        let text = self.maybe_text(name)?.unwrap_or_default();
        check_size(text.len(), limit, name)?;
        Ok(text.to_owned())
    }

    pub(super) fn maybe_number(&self, name: &'static str) -> Result<Option<u64>, MessageError> {
        self.maybe(name, Value::as_u64)
    }

    pub(super) fn id(&self, name: &'static str) -> Result<Id, MessageError> {
        self.maybe_id(name)?.ok_or(MessageError::Field(name))
    }

    pub(super) fn maybe_id(&self, name: &'static str) -> Result<Option<Id>, MessageError> {
        self.maybe(name, |value| value.as_str()?.parse().ok())
    }

    pub(super) fn list(&self, name: &'static str) -> Result<&'a [Value], MessageError> {
        let list = self.maybe(name, |value| value.as_array().map(Vec::as_slice))?;
        Ok(list.unwrap_or_default())
    }

    pub(super) fn object(
        &self,
        name: &'static str,
    ) -> Result<Option<&'a Map<String, Value>>, MessageError> {
        self.maybe(name, Value::as_object)
    }

    /// Names and what they refer to.
    pub(super) fn refs(&self) -> Result<BTreeMap<String, String>, MessageError> {
        let mut refs = BTreeMap::new();
        for (name, value) in self.object("refs")?.into_iter().flatten() {
            let to = value.as_str().ok_or(MessageError::Field("refs"))?;
            check_size(name.len().max(to.len()), MAX_REF, "reference")?;
            refs.insert(name.clone(), to.to_owned());
        }
        check_count(refs.len(), MAX_REFS, "references")?;
        Ok(refs)
    }

    /// What stands under `name`, if anything does; `null` is nothing.
    fn maybe<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, MessageError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or(MessageError::Field(name)),
        }
    }
}

pub(super) fn check_count(
    count: usize,
    limit: usize,
    what: &'static str,
) -> Result<(), MessageError> {
    if count > limit {
        return Err(MessageError::TooMany { what, limit });
    }
    Ok(())
}

pub(super) fn field(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

/// The field of references that are to be sent, if there are any.
pub(super) fn refs_field(
    refs: &BTreeMap<String, String>,
) -> Result<Option<(String, Value)>, MessageError> {
    check_count(refs.len(), MAX_REFS, "references")?;
    for (name, to) in refs {
        check_size(name.len().max(to.len()), MAX_REF, "reference")?;
    }
    let object: Map<String, Value> = { refs.iter() }
        .map(|(name, to)| field(name, to.as_str()))
        .collect();
    Ok((!object.is_empty()).then(|| field("refs", object)))
}

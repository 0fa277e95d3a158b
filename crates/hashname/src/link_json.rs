//! Link JSON: what one endpoint tells others to be linked to (links.md, Files).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json::{self, JsonError};
use crate::{Hashname, HashnameError, KeySet, KeySetError, Path, PathError};

/// Longest link JSON or JWK in bytes of text; longer is refused with [`JsonError::TooLong`].
pub const MAX_LINK_JSON_LEN: usize = 64 * 1024;

/// Most paths in one link JSON or JWK; more are refused with [`LinkJsonError::TooManyPaths`].
pub const MAX_LINK_PATHS: usize = 32;

/// An endpoint's hashname, keys and paths: `{"hashname":…,"keys":{…},"paths":[…]}`.
///
/// Keys that do not match the hashname are never read. They may be missing altogether, or some of
/// them known by their intermediate only, which the text then holds as
/// `"intermediates":{csid:base32}`, a field of our own.
///
/// ```
/// use telehash_hashname::{Csid, KeySet, LinkJson, Path};
///
/// let mut keys = KeySet::new();
/// keys.insert_key(Csid::CS3A, vec![7; 32])?;
/// let mut link = LinkJson::new(keys)?;
/// link.paths.push(Path::udp("192.0.2.1:42424".parse()?));
///
/// let text = link.to_string();
/// assert_eq!(LinkJson::parse(&text)?, link);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkJson {
    /// Who it is.
    pub hashname: Hashname,
    /// What is known of the keys; together they make up the hashname, or there are none.
    pub keys: KeySet,
    /// Where it may be reached, in the order given.
    pub paths: Vec<Path>,
    /// Fields that are not defined here, kept as they came.
    pub extra: Map<String, Value>,
}

impl LinkJson {
    /// Describes the endpoint with these keys, without any path.
    ///
    /// # Errors
    ///
    /// [`LinkJsonError::Unnamed`] for an empty set.
    pub fn new(keys: KeySet) -> Result<Self, LinkJsonError> {
        let hashname = keys.hashname().ok_or(LinkJsonError::Unnamed)?;
        Ok(Self {
            keys,
            ..Self::named(hashname)
        })
    }

    /// Describes an endpoint of which only the name is known.
    #[must_use]
    pub fn named(hashname: Hashname) -> Self {
        Self {
            hashname,
            keys: KeySet::new(),
            paths: Vec::new(),
            extra: Map::new(),
        }
    }

    /// Reads a link JSON. The hashname may be absent where keys are given, the keys where the
    /// hashname is, and the paths always.
    ///
    /// # Errors
    ///
    /// See [`LinkJsonError`]; everything about the text is checked here.
    pub fn parse(text: &str) -> Result<Self, LinkJsonError> {
        Self::read(json::parse_object(text, MAX_LINK_JSON_LEN)?)
    }

    /// Reads a link JSON that is part of another JSON, whose reader has bounded its size.
    ///
    /// # Errors
    ///
    /// See [`LinkJsonError`].
    pub fn from_json(json: &Map<String, Value>) -> Result<Self, LinkJsonError> {
        Self::read(json.clone())
    }

    fn read(mut fields: Map<String, Value>) -> Result<Self, LinkJsonError> {
        let hashname = take_hashname(&mut fields, "hashname")?;
        let mut keys = match take_object(&mut fields, "keys")? {
            Some(json) => KeySet::from_json(&json)?,
            None => KeySet::new(),
        };
        if let Some(json) = take_object(&mut fields, "intermediates")? {
            keys.add_intermediates(&json)?;
        }
        Ok(Self {
            hashname: verified(hashname, &keys)?,
            keys,
            paths: take_paths(&mut fields)?,
            extra: fields,
        })
    }

    /// The JSON object; `extra` comes last and never replaces a field defined here.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut json = Map::new();
        json.insert("hashname".into(), self.hashname.to_string().into());
        json.insert("keys".into(), self.keys.to_json().into());
        if !self.keys.is_complete() {
            let intermediates = self.keys.intermediates_to_json();
            json.insert("intermediates".into(), intermediates.into());
        }
        json.insert("paths".into(), self.paths_json());
        for (name, value) in &self.extra {
            json.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        json
    }

    pub(crate) fn paths_json(&self) -> Value {
        let paths = self.paths.iter().map(|path| Value::Object(path.to_json()));
        Value::Array(paths.collect())
    }
}

impl fmt::Display for LinkJson {
    /// Writes the JSON object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Value::Object(self.to_json()).fmt(f)
    }
}

impl FromStr for LinkJson {
    type Err = LinkJsonError;

    fn from_str(text: &str) -> Result<Self, LinkJsonError> {
        Self::parse(text)
    }
}

impl Serialize for LinkJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// The hashname, after checking a given one against the keys.
fn verified(given: Option<Hashname>, keys: &KeySet) -> Result<Hashname, LinkJsonError> {
    match (given, keys.hashname()) {
        (Some(given), Some(calculated)) if given != calculated => Err(LinkJsonError::Mismatch),
        (given, calculated) => given.or(calculated).ok_or(LinkJsonError::Unnamed),
    }
}

pub(crate) fn take_hashname(
    json: &mut Map<String, Value>,
    field: &'static str,
) -> Result<Option<Hashname>, LinkJsonError> {
    match json.shift_remove(field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.parse()?)),
        Some(_) => Err(LinkJsonError::WrongType { field }),
    }
}

fn take_object(
    json: &mut Map<String, Value>,
    field: &'static str,
) -> Result<Option<Map<String, Value>>, LinkJsonError> {
    match json.shift_remove(field) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(LinkJsonError::WrongType { field }),
    }
}

pub(crate) fn take_paths(json: &mut Map<String, Value>) -> Result<Vec<Path>, LinkJsonError> {
    let field = "paths";
    let paths = match json.shift_remove(field) {
        None => return Ok(Vec::new()),
        Some(Value::Array(paths)) => paths,
        Some(_) => return Err(LinkJsonError::WrongType { field }),
    };
    if paths.len() > MAX_LINK_PATHS {
        let count = paths.len();
        return Err(LinkJsonError::TooManyPaths { count });
    }
    let path = |value: &Value| match value.as_object() {
        Some(json) => Path::from_json(json),
        None => Err(PathError::NoType),
    };
    Ok(paths.iter().map(path).collect::<Result<_, _>>()?)
}

/// Why a text is no link JSON, or a JSON object no JWK of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkJsonError {
    /// No JSON object.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field that has another JSON type.
    #[error("\"{field}\" has the wrong type for a link")]
    WrongType {
        /// Its name.
        field: &'static str,
    },
    /// The hashname is none.
    #[error(transparent)]
    Hashname(#[from] HashnameError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeySetError),
    /// The keys belong to another hashname, or some of this one's are missing.
    #[error("the keys do not add up to the hashname: some are missing or belong to someone else")]
    Mismatch,
    /// Neither hashname nor keys.
    #[error("nothing says whose link this is: there is no hashname and no key")]
    Unnamed,
    /// One of the paths is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// More than [`MAX_LINK_PATHS`].
    #[error("{count} paths for one link, more than the {MAX_LINK_PATHS} that are read")]
    TooManyPaths {
        /// Paths given.
        count: usize,
    },
    /// A JWK of another kind.
    #[error("this JSON web key is not a hashname's (its \"kty\" is not \"hashname\")")]
    NotHashnameJwk,
}

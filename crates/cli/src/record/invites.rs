//! Invites, as records.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An invite that can be redeemed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InviteRecord {
    /// The first characters of its secret.
    pub(crate) handle: String,
    /// The line to give away; only when it is issued.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) uri: Option<String>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) expires_in: Option<u64>,
    /// How often it may still be redeemed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) uses: Option<u32>,
    /// What whoever redeems it will be called.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) alias: Option<String>,
    /// The router that it leads through; none of an invite.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) through: Option<String>,
    /// Drawn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) qr: Option<String>,
}

impl fmt::Display for InviteRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(uri) = &self.uri {
            f.write_str(uri)?;
            return self.qr.iter().try_for_each(|qr| write!(f, "\n{qr}"));
        }
        write!(f, "{}", self.handle)?;
        match self.uses {
            Some(1) => f.write_str(" once")?,
            Some(uses) => write!(f, " {uses} times")?,
            None => {}
        }
        if let Some(seconds) = self.expires_in {
            write!(f, ", expires in {}", span(seconds))?;
        }
        if let Some(alias) = &self.alias {
            write!(f, ", for {alias}")?;
        }
        self.through
            .iter()
            .try_for_each(|router| write!(f, ", through {router}"))
    }
}

/// A time in its largest whole units.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_is_the_line_to_copy_and_nothing_else_when_it_is_new() {
        let mut invite = InviteRecord {
            handle: "a4dqobyh".into(),
            uri: Some("link://h/?inv=a".into()),
            expires_in: Some(3600),
            uses: Some(1),
            alias: Some("bob".into()),
            through: None,
            qr: None,
        };
        assert_eq!(invite.to_string(), "link://h/?inv=a");
        invite.uri = None;
        assert_eq!(
            invite.to_string(),
            "a4dqobyh once, expires in 60 min, for bob"
        );
        invite.through = Some("5vq2".into());
        assert!(invite.to_string().ends_with(", for bob, through 5vq2"));
    }
}

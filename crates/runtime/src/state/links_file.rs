//! `links.json`: `{"version":1,"links":[{"alias","trust","router","at","link":{link
//! JSON}}],"seen":{hashname: at},"invites":[{"secret","expires","uses","alias",
//! "through"}]}`.

use std::path::Path;

use serde_json::{Map, Value, json};
use telehash_hashname::{Hashname, LinkJson};
use telehash_uri::{IssuedSecret, Secret, Terms};

use super::StateError;
use super::invites::Grant;
use super::known::{KnownLink, KnownLinks, Table, Trust, is_alias};

/// The version written, and the highest read.
const VERSION: u64 = 1;

pub(super) fn parse(path: &Path, contents: &[u8]) -> Result<KnownLinks, StateError> {
    let malformed = |reason: String| StateError::malformed(path, reason);
    let file: Value =
        serde_json::from_slice(contents).map_err(|error| malformed(error.to_string()))?;
    let version = file["version"]
        .as_u64()
        .ok_or_else(|| malformed("it has no version".into()))?;
    if version > VERSION {
        return Err(StateError::FutureVersion {
            path: path.into(),
            version,
            understood: VERSION,
        });
    }
    let mut table = Table::default();
    for (number, entry) in file["links"].as_array().into_iter().flatten().enumerate() {
        let link = parse_link(entry)
            .map_err(|reason| malformed(format!("link {}: {reason}", number + 1)))?;
        let hashname = link.link.hashname;
        *table
            .entry(hashname)
            .map_err(|error| malformed(error.to_string()))? = link;
    }
    for (hashname, at) in file["seen"].as_object().into_iter().flatten() {
        let hashname: Hashname = hashname
            .parse()
            .map_err(|error| malformed(format!("seen: {error}")))?;
        table.remember_at(hashname, at.as_u64().unwrap_or(0));
    }
    for (number, entry) in file["invites"].as_array().into_iter().flatten().enumerate() {
        let invite = parse_invite(entry)
            .map_err(|reason| malformed(format!("invite {}: {reason}", number + 1)))?;
        let (secret, terms, grant) = invite;
        table.invites.issue(0, secret, terms, grant);
    }
    Ok(KnownLinks::from_table(table))
}

fn parse_invite(entry: &Value) -> Result<(Secret, Terms, Grant), String> {
    let secret = entry["secret"].as_str().ok_or("it has no secret")?;
    let secret: Secret = secret.parse().map_err(|_| "its secret is none")?;
    // What is damaged must not be good for longer than it was.
    let number = |field: &str| match &entry[field] {
        Value::Null => Ok(None),
        value => value
            .as_u64()
            .map(Some)
            .ok_or(format!("`{field}` is no number")),
    };
    let uses = number("uses")?.map(|uses| u32::try_from(uses).unwrap_or(0));
    let terms = Terms::UNLIMITED.until(number("expires")?).uses(uses);
    let alias = entry["alias"].as_str().filter(|alias| is_alias(alias));
    let through = match &entry["through"] {
        Value::Null => None,
        name => {
            let name = name.as_str().and_then(|name| name.parse().ok());
            // It would be an invite without it.
            Some(name.ok_or("its router has no hashname")?)
        }
    };
    let alias = alias.map(str::to_owned);
    Ok((secret, terms, Grant { alias, through }))
}

fn parse_link(entry: &Value) -> Result<KnownLink, String> {
    let mut extra = entry.as_object().ok_or("it is no object")?.clone();
    let link = extra.shift_remove("link").ok_or("it has no link JSON")?;
    let link = LinkJson::parse(&link.to_string()).map_err(|error| error.to_string())?;
    let alias = extra
        .shift_remove("alias")
        .and_then(|alias| alias.as_str().map(str::to_owned));
    let trust = match extra.shift_remove("trust").as_ref().and_then(Value::as_str) {
        Some("trusted") => Trust::Trusted,
        Some("blocked") => Trust::Blocked,
        Some("unknown") | None => Trust::Unknown,
        // Anything else would silently lose a block.
        Some(other) => return Err(format!("`{other}` is no degree of trust")),
    };
    let router = extra
        .shift_remove("router")
        .is_some_and(|router| router == true);
    let at = extra
        .shift_remove("at")
        .and_then(|at| at.as_u64())
        .unwrap_or(0);
    Ok(KnownLink {
        alias: alias.filter(|alias| is_alias(alias)),
        trust,
        router,
        link,
        at,
        extra,
    })
}

pub(super) fn render(links: &KnownLinks) -> String {
    let table = links.table();
    let seen: Map<String, Value> = table
        .seen
        .iter()
        .map(|(hashname, at)| (hashname.to_string(), (*at).into()))
        .collect();
    let links: Vec<Value> = table.links.values().map(render_link).collect();
    let invites: Vec<Value> = table.invites.iter().map(render_invite).collect();
    drop(table);
    format!(
        "{:#}\n",
        json!({ "version": VERSION, "links": links, "seen": seen, "invites": invites })
    )
}

fn render_invite(invite: &IssuedSecret<Grant>) -> Value {
    json!({
        "secret": invite.secret.to_text(),
        "expires": invite.terms.expires,
        "uses": invite.terms.uses,
        "alias": invite.value.alias,
        "through": invite.value.through.map(|router| router.to_string()),
    })
}

fn render_link(known: &KnownLink) -> Value {
    let mut entry = Map::new();
    if let Some(alias) = &known.alias {
        entry.insert("alias".into(), alias.as_str().into());
    }
    let trust = match known.trust {
        Trust::Unknown => "unknown",
        Trust::Trusted => "trusted",
        Trust::Blocked => "blocked",
    };
    entry.insert("trust".into(), trust.into());
    entry.insert("router".into(), known.router.into());
    entry.insert("at".into(), known.at.into());
    let link = known.link.to_string();
    entry.insert(
        "link".into(),
        serde_json::from_str(&link).expect("a link JSON writes JSON"),
    );
    entry.extend(known.extra.clone());
    Value::Object(entry)
}

#[cfg(test)]
mod tests {
    use telehash_hashname::{Csid, KeySet};

    use super::*;

    const PATH: &str = "links.json";

    fn read(text: &str) -> Result<KnownLinks, StateError> {
        parse(Path::new(PATH), text.as_bytes())
    }

    fn link() -> LinkJson {
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
        let mut link = LinkJson::new(keys).unwrap();
        link.paths.push(telehash_hashname::Path::udp(
            "192.0.2.1:42424".parse().unwrap(),
        ));
        link
    }

    #[test]
    fn what_was_written_is_read_again() {
        let known = KnownLinks::default();
        let hashname = link().hashname;
        known.remember(link()).unwrap();
        known.set_trust(hashname, Trust::Blocked).unwrap();
        known.set_alias(hashname, Some("home")).unwrap();
        known.remember_at(hashname, 9);
        known.remember_at(Hashname::from_bytes([3; 32]), 11);
        let again = read(&render(&known)).unwrap();
        assert_eq!(again.all(), known.all());
        assert_eq!(again.at(&Hashname::from_bytes([3; 32])), 11);
    }

    #[test]
    fn invites_are_as_good_as_they_were_when_they_are_read_again() {
        let known = KnownLinks::default();
        let secret = Secret::from_bytes([9; 16]);
        let terms = Terms::once_until(200);
        known
            .issue_invite(100, secret.clone(), terms, grant(None))
            .unwrap();
        let again = read(&render(&known)).unwrap();
        assert_eq!(again.invites(100), known.invites(100));
        assert!(again.redeem_invite(199, &secret, link()));
        assert!(!again.redeem_invite(199, &secret, link()));
        assert!(!render(&again).contains(&secret.to_text()));
        let late = read(&render(&known)).unwrap();
        assert!(!late.redeem_invite(200, &secret, link()));
    }

    fn grant(through: Option<Hashname>) -> Grant {
        Grant {
            alias: Some("bob".into()),
            through,
        }
    }

    #[test]
    fn a_shared_uri_stays_one_and_no_invite_when_it_is_read_again() {
        let known = KnownLinks::default();
        let (secret, router) = (Secret::from_bytes([9; 16]), Hashname::from_bytes([3; 32]));
        let terms = Terms::once_until(200);
        known
            .issue_invite(100, secret.clone(), terms, grant(Some(router)))
            .unwrap();
        let again = read(&render(&known)).unwrap();
        assert_eq!(again.invites(100), known.invites(100));
        assert!(!again.redeem_invite(199, &secret, link()));
        assert_eq!(again.spend_share(199, &secret), Some(grant(Some(router))));
        assert_eq!(
            read(&render(&again)).unwrap().spend_share(199, &secret),
            None
        );
    }

    #[test]
    fn a_damaged_invite_is_reported() {
        let router = r#"{"secret":"bebqgayhbeb2gayhbeb2gayhbe","through":"x"}"#;
        for bad in [r#"{}"#, r#"{"secret":"aa"}"#, router] {
            let text = format!(r#"{{"version":1,"invites":[{bad}]}}"#);
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains("invite 1"), "{error}");
        }
    }

    #[test]
    fn unknown_fields_survive() {
        let text = format!(
            r#"{{"version":1,"links":[{{"link":{},"colour":"red"}}]}}"#,
            link()
        );
        let again = render(&read(&text).unwrap());
        assert!(again.contains(r#""colour": "red""#), "{again}");
    }

    #[test]
    fn a_later_version_is_refused() {
        assert!(matches!(
            read(r#"{"version":2}"#),
            Err(StateError::FutureVersion { version: 2, .. })
        ));
    }

    #[test]
    fn damage_is_reported_with_the_place() {
        for bad in ["", "[]", r#"{"links":[]}"#] {
            assert!(
                matches!(read(bad), Err(StateError::Malformed { .. })),
                "{bad}"
            );
        }
        let text = format!(
            r#"{{"version":1,"links":[{{"link":{},"trust":"maybe"}}]}}"#,
            link()
        );
        let error = read(&text).unwrap_err().to_string();
        assert!(
            error.contains("link 1: `maybe` is no degree of trust"),
            "{error}"
        );
    }
}

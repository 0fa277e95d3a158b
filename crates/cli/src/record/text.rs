//! Records, as people read them.

use std::fmt;

use mesh::Path;
use serde_json::Value;

use super::{PingSummary, Record, UriRecord, short, show_path};
use crate::chat::text::line_name;
use crate::forward::allowing;

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready {
                hashname,
                uri,
                invite,
                qr,
                ..
            } => {
                write!(f, "{hashname} is up\n{uri}")?;
                if let Some(invite) = invite {
                    write!(f, "\nan invite, good once within an hour:\n{invite}")?;
                }
                qr.iter().try_for_each(|qr| write!(f, "\n{qr}"))
            }
            Self::Invite(invite) => invite.fmt(f),
            Self::RouterUri { hashname } => write!(
                f,
                "{} leads others to us: mesh uri new --via {hashname}",
                short(hashname)
            ),
            Self::Session { handle, hashname } => write!(f, "{handle} session of {hashname}"),
            Self::Invited { hashname } => {
                write!(
                    f,
                    "{hashname} came with an invite, and is trusted from now on"
                )
            }
            Self::Revoked { count: 1 } => f.write_str("took back 1 invite"),
            Self::Revoked { count } => write!(f, "took back {count} invites"),
            Self::Link(link) => link.fmt(f),
            Self::Channel { hashname, kind } => write!(f, "{} opened {kind}", short(hashname)),
            Self::ChannelRefused { hashname, kind } => {
                write!(
                    f,
                    "{} opened {kind}, which nobody handles: refused",
                    short(hashname)
                )
            }
            Self::Refused { hashname } => write!(
                f,
                "refused {hashname}; to let it in: mesh links trust {hashname}, or mesh up --allow"
            ),
            Self::SeenAs { hashname, path } => write!(f, "{} sees us at {path}", short(hashname)),
            Self::Way { hashname, path, .. } => write!(f, "{} goes by {path}", short(hashname)),
            Self::Discover { hashname, link } => discovered(f, hashname, link),
            Self::Discovered { found: 0, seconds } => write!(
                f,
                "nobody announced itself within {seconds} s; on the other machine, run `mesh up --discover` in the \
                 same network, and let UDP port 42420 through both firewalls (-v says if it cannot be opened here)"
            ),
            Self::Discovered { found: 1, seconds } => write!(f, "1 endpoint within {seconds} s"),
            Self::Discovered { found, seconds } => {
                write!(f, "{found} endpoints within {seconds} s")
            }
            Self::Warning { message } => write!(f, "warning: {message}"),
            Self::Ping { seq, ms, path } => write!(f, "seq={seq} time={ms:.3} ms path={path}"),
            Self::PingLost { seq } => write!(f, "seq={seq} no answer"),
            Self::PingSummary(summary) => summary.fmt(f),
            Self::Status {
                hashname,
                uri,
                links,
                ..
            } => write!(f, "{hashname}\n{uri}\nlinks: {links}"),
            Self::Netcheck(found) => found.fmt(f),
            Self::PortMapping(mapping) => mapping.fmt(f),
            Self::Known(known) => known.fmt(f),
            Self::Forgotten { hashname } => write!(f, "forgot {hashname}"),
            Self::Piped {
                hashname,
                sent,
                received,
                seconds,
            } => write!(
                f,
                "{}: {sent} bytes sent, {received} received, in {seconds:.2} s",
                short(hashname)
            ),
            Self::FilesSent {
                hashname,
                files,
                bytes,
                seconds,
                ..
            } => write!(
                f,
                "sent {files} files, {bytes} bytes, to {} in {seconds:.2} s",
                short(hashname)
            ),
            Self::FilesReceived {
                hashname,
                files,
                bytes,
                seconds,
                ..
            } => write!(
                f,
                "received {files} files, {bytes} bytes, from {} in {seconds:.2} s",
                short(hashname)
            ),
            // A name of a peer's may hold a line of its own.
            Self::LeftOut { name, reason } => {
                let (name, reason) = (name.replace('\n', "\u{fffd}"), reason.replace('\n', " "));
                write!(f, "left out {name}: {reason}")
            }
            Self::Receiving { dir } => {
                write!(f, "receiving into {dir}; on the other machine: mesh send")
            }
            Self::Letter(letter) => letter.fmt(f),
            Self::Letters { count: 0 } => f.write_str("no letters"),
            Self::Letters { count: 1 } => f.write_str("1 letter"),
            Self::Letters { count } => write!(f, "{count} letters"),
            Self::LetterSent {
                hashname,
                direct: true,
                ..
            } => write!(f, "{} has the letter", short(hashname)),
            Self::LetterSent {
                hashname, caches, ..
            } => {
                write!(
                    f,
                    "{} is not there; the letter was taken by",
                    short(hashname)
                )?;
                let caches: Vec<_> = caches.iter().map(|cache| short(cache)).collect();
                write!(f, " {}", caches.join(", "))
            }
            Self::Keeping { letters, bytes } => {
                write!(
                    f,
                    "letters kept for others: {letters}, {bytes} bytes of the quota"
                )
            }
            Self::Serving { what, url } => {
                write!(f, "serving {what}; where `mesh proxy` runs, open {url}")
            }
            Self::Proxying { address } => write!(
                f,
                "open http://<hashname or alias>.localhost:{}/ (listening on {address})",
                address.port()
            ),
            Self::Forwarding {
                hashname,
                kind,
                listening,
                to,
            } => {
                let peer = short(hashname);
                match (kind.as_str(), to) {
                    ("remote", Some(to)) => {
                        write!(f, "{peer} listens at {listening}, for {to} here")
                    }
                    (kind, Some(to)) => write!(f, "{kind} {listening} leads to {to} at {peer}"),
                    (kind, None) => write!(f, "{kind} {listening} leads to wherever {peer} allows"),
                }
            }
            Self::NotForwarded { message, .. } => f.write_str(message),
            Self::TunnelDenied {
                hashname,
                destination,
                bind,
            } => {
                let what = match (bind, destination.strip_prefix("*:")) {
                    (true, Some(port)) => format!("listen at port {port}"),
                    (true, None) => format!("listen at {destination}"),
                    (false, _) => format!("connect to {destination}"),
                };
                let (peer, command) = (short(hashname), allowing(*bind, destination));
                write!(f, "denied {peer} to {what}; to allow it: {command}")
            }
            Self::Progress { done, total } => write!(f, "{done} of {total}"),
            Self::Measuring { what, .. } => f.write_str(what),
            Self::BenchRow(row) => row.fmt(f),
            Self::Bench { what, value, unit } => write!(f, "{what:<36} {value:>12.2} {unit}"),
            Self::Step { step, ok, figures } => {
                write!(f, "{} {step:<16}", if *ok { "ok    " } else { "FAILED" })?;
                figures.iter().try_for_each(|(name, value)| match value {
                    Value::String(text) => write!(f, " {name}={text}"),
                    value => write!(f, " {name}={value}"),
                })
            }
            Self::Identity { hashname, file, .. } => write!(f, "{hashname}\nin {file}"),
            Self::Uri(uri) => uri.fmt(f),
            Self::Chat(chat) => chat.fmt(f),
            Self::Message(message) => message.fmt(f),
            Self::Edited(message) => write!(f, "{message} (edited)"),
            Self::Participant(participant) => participant.fmt(f),
            Self::Joined { title: None } => f.write_str("* you are let in"),
            Self::Joined { title: Some(title) } => {
                write!(f, "* you are let in to {}", line_name(title))
            }
            Self::Knock { hashname, name } => write!(
                f,
                "* {} ({}) asks to be let in: /admit {}",
                line_name(name),
                short(hashname),
                short(hashname)
            ),
            Self::Delivered { count } => write!(f, "* what you said has reached {count} others"),
        }
    }
}

/// A row of the table of `mesh discover`: name, cipher sets, paths.
fn discovered(f: &mut fmt::Formatter<'_>, hashname: &str, link: &Value) -> fmt::Result {
    let names = |keys: &Value| match keys.as_object() {
        Some(keys) => keys
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(","),
        None => String::new(),
    };
    write!(f, "{hashname}  {:<14}", names(&link["keys"]))?;
    for path in link["paths"].as_array().into_iter().flatten() {
        write!(f, " {}", show_json_path(path))?;
    }
    Ok(())
}

/// `udp4 192.0.2.1:42424`, of a path in JSON.
fn show_json_path(path: &Value) -> String {
    let path = path.as_object().map(Path::from_json);
    match path {
        Some(Ok(path)) => show_path(&path),
        _ => "unknown".to_owned(),
    }
}

impl fmt::Display for PingSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "--- {} ping statistics ---\n\
             {} packets transmitted, {} received, {:.0}% packet loss, time {:.0}ms",
            short(&self.hashname),
            self.sent,
            self.received,
            self.loss * 100.0,
            self.time_ms,
        )?;
        let Some(rtt) = &self.rtt else { return Ok(()) };
        write!(
            f,
            "\nrtt min/avg/max/mdev = {:.3}/{:.3}/{:.3}/{:.3} ms",
            rtt.min_ms, rtt.avg_ms, rtt.max_ms, rtt.mdev_ms
        )
    }
}

impl fmt::Display for UriRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "uri       {}", self.uri)?;
        writeln!(
            f,
            "hashname  {}",
            self.hashname.as_deref().unwrap_or("none: it holds no key")
        )?;
        match &self.host {
            Some(host) => write!(f, "host      {host}, port {}", self.port)?,
            None => f.write_str("host      none")?,
        }
        for (csid, key) in self.keys.as_object().into_iter().flatten() {
            write!(
                f,
                "\nkey       cs{csid} {}",
                key.as_str().unwrap_or_default()
            )?;
        }
        for path in &self.paths {
            write!(f, "\npath      {path}")?;
        }
        for name in &self.query {
            write!(f, "\nquery     {name}")?;
        }
        if self.fragment {
            f.write_str("\nfragment  yes")?;
        }
        for skipped in &self.skipped {
            write!(f, "\nskipped   {skipped}")?;
        }
        self.qr.iter().try_for_each(|qr| write!(f, "\n{qr}"))
    }
}

#[cfg(test)]
mod tests {
    use mesh::sock::{AllowRule, BindRule};

    use super::*;
    use crate::record::RttSummary;

    #[test]
    fn a_discovered_endpoint_is_a_row_and_nobody_is_an_advice() {
        let link = serde_json::json!({
            "keys": {"1a": "aa", "3a": "aa"},
            "paths": [{"type": "udp4", "ip": "192.0.2.1", "port": 7}],
        });
        let hashname = "5vq2".to_owned();
        let row = Record::Discover { hashname, link }.to_string();
        assert!(row.starts_with("5vq2  1a,3a "), "{row}");
        assert!(row.ends_with("192.0.2.1:7"), "{row}");
        let (found, seconds) = (0, 2.5);
        let nobody = Record::Discovered { found, seconds }.to_string();
        assert!(nobody.contains("2.5 s; on the other machine"), "{nobody}");
    }

    #[test]
    fn a_denied_tunnel_names_the_rule_that_would_allow_it_and_no_more() {
        for (bind, destination, rule) in [
            (false, "db.example:5432", "--allow-connect db.example:5432"),
            (false, "[::1]:22", "--allow-connect [::1]:22"),
            (true, "*:8080", "--allow-bind 8080"),
            (true, "localhost:8080", "--allow-bind 8080"),
            (true, "0.0.0.0:8080", "--allow-bind 0.0.0.0:8080"),
        ] {
            let denied = Record::TunnelDenied {
                hashname: "5vq2abcdef".into(),
                destination: destination.into(),
                bind,
            };
            let text = denied.to_string();
            assert!(text.ends_with(rule) && !text.contains('*'), "{text}");
            let (_, rule) = rule.split_once(' ').unwrap();
            match bind {
                true => assert!(rule.parse::<BindRule>().is_ok()),
                false => assert!(rule.parse::<AllowRule>().is_ok()),
            }
        }
    }

    #[test]
    fn ping_ends_with_the_summary_that_ping_prints() {
        let summary = PingSummary {
            hashname: "5vq2abcdef".into(),
            sent: 4,
            received: 3,
            loss: 0.25,
            time_ms: 3004.2,
            rtt: RttSummary::of(&[1.0, 2.0, 3.0]),
        };
        assert_eq!(
            summary.to_string(),
            "--- 5vq2abcd ping statistics ---\n\
             4 packets transmitted, 3 received, 25% packet loss, time 3004ms\n\
             rtt min/avg/max/mdev = 1.000/2.000/3.000/0.816 ms"
        );
    }
}

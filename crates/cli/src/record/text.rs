//! Records, as people read them.

use std::fmt;

use serde_json::Value;

use super::{PingSummary, Record, UriRecord, short};

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { hashname, uri, .. } => write!(f, "{hashname} is up\n{uri}"),
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
            Self::Progress { done, total } => write!(f, "{done} of {total}"),
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
        }
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
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RttSummary;

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

//! `mesh uri`: what a URI says, and which of ours are open.

use mesh::{LinkUri, Path};
use serde_json::Value;

use crate::args::{Global, InvitesAction, UriCommand};
use crate::command::{self, invite};
use crate::failure::{Failure, Outcome};
use crate::record::{Record, UriRecord};
use crate::report::Report;

pub(crate) async fn run(global: &Global, command: UriCommand, report: &mut Report) -> Outcome {
    match command {
        UriCommand::Show { uri, strict, qr } => {
            let mut record = explain(&uri, strict)?;
            if qr {
                record.qr = Some(command::qr(&record.uri)?);
            }
            report.report(Record::Uri(record)).await
        }
        UriCommand::New(options) => invite::run_share(global, options, report).await,
        UriCommand::List => invite::open_ones(global, InvitesAction::List, report).await,
        UriCommand::Revoke { invite, all } => {
            let action = InvitesAction::Revoke { invite, all };
            invite::open_ones(global, action, report).await
        }
    }
}

fn explain(text: &str, strict: bool) -> Outcome<UriRecord> {
    let (uri, skipped) = match strict {
        true => (LinkUri::parse_strict(text).map_err(malformed)?, Vec::new()),
        false => {
            let parsed = LinkUri::parse(text).map_err(malformed)?;
            (
                parsed.uri,
                parsed.skipped.iter().map(ToString::to_string).collect(),
            )
        }
    };
    Ok(UriRecord {
        uri: uri.to_string(),
        scheme: uri.scheme().to_owned(),
        hashname: uri.hashname().map(|hashname| hashname.to_string()),
        host: uri.host().map(ToString::to_string),
        port: uri.port(),
        keys: Value::Object(uri.keys().to_json()),
        paths: uri
            .paths()
            .iter()
            .map(Path::to_json)
            .map(Value::Object)
            .collect(),
        query: uri.query().iter().map(|(name, _)| name.clone()).collect(),
        fragment: uri.fragment().is_some(),
        skipped,
        qr: None,
    })
}

fn malformed(error: impl std::fmt::Display) -> Failure {
    Failure::usage(format_args!("not a link URI: {error}"))
}

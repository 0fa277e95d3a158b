//! `mesh uri show`: what a URI says.

use mesh::{LinkUri, Path};
use serde_json::Value;

use crate::args::UriCommand;
use crate::failure::{Failure, Outcome};
use crate::record::{Record, UriRecord};
use crate::report::Report;

pub(crate) async fn run(command: UriCommand, report: &mut Report) -> Outcome {
    let UriCommand::Show { uri, strict } = command;
    report.report(Record::Uri(explain(&uri, strict)?)).await
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
    })
}

fn malformed(error: impl std::fmt::Display) -> Failure {
    Failure::usage(format_args!("not a link URI: {error}"))
}

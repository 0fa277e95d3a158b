//! `mesh id`: identities.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use mesh::state::{StateDir, read_identity};
use mesh::{Csid, LinkJson, LinkUri};
use serde_json::Value;

use crate::access::{place, state_dir};
use crate::args::{Global, IdCommand, IdFormat};
use crate::command::qr;
use crate::endpoint::{Place, new_identity};
use crate::failure::{Failure, Outcome};
use crate::record::Record;
use crate::report::Report;

pub(crate) async fn run(global: &Global, command: IdCommand, report: &mut Report) -> Outcome {
    match command {
        IdCommand::New { cs, out } => {
            let file = new_file(global, out)?;
            new_identity(&file, cs.as_deref())?;
            let link = read_identity(&file)?.link_json();
            report.report(identity(&file, &link)?).await
        }
        IdCommand::Show { format } => {
            let file = identity_file(global)?;
            let link = read_identity(&file)?.link_json();
            match global.json || format == IdFormat::Text {
                true => report.report(identity(&file, &link)?).await,
                false => show(&link, format),
            }
        }
    }
}

/// Where the new identity goes: where the command line says, or into the state directory, which is made.
fn new_file(global: &Global, out: Option<PathBuf>) -> Outcome<PathBuf> {
    match out.or_else(|| global.id.clone()) {
        Some(file) => Ok(file),
        None => Ok(StateDir::open(state_dir(global)?)?.identity_path()),
    }
}

fn identity_file(global: &Global) -> Outcome<PathBuf> {
    let file = match place(global)? {
        Place::File { path, .. } => path,
        Place::State(directory) => directory.join("id.json"),
    };
    match file.exists() {
        true => Ok(file),
        false => Err(
            Failure::failed(format_args!("there is no identity file {}", file.display()))
                .hint("`mesh id new` makes one"),
        ),
    }
}

fn identity(file: &Path, link: &LinkJson) -> Outcome<Record> {
    Ok(Record::Identity {
        hashname: link.hashname.to_string(),
        file: file.display().to_string(),
        link: Value::Object(link.to_json()),
        uri: uri(link)?.to_string(),
        jwk: link.jwk().map_or(Value::Null, Value::Object),
    })
}

fn show(link: &LinkJson, format: IdFormat) -> Outcome {
    let text = match format {
        IdFormat::Text | IdFormat::Json => link.to_string(),
        IdFormat::Jwk => link.jwk().map_or(Value::Null, Value::Object).to_string(),
        IdFormat::Uri => uri(link)?.to_string(),
        IdFormat::Qr => qr(&uri(link)?.to_string())?,
    };
    writeln!(io::stdout(), "{text}").map_err(|error| Failure::output(&error))
}

fn uri(link: &LinkJson) -> Outcome<LinkUri> {
    LinkUri::for_link(link).map_err(Failure::failed)
}

/// Reads a list of cipher sets for `--cs`.
pub(crate) fn parse_csid(text: &str) -> Result<Csid, String> {
    let csid: Csid = text
        .parse()
        .map_err(|_| format!("`{text}` is no cipher set: they are called 1a, 3a, …"))?;
    let supported = mesh::CipherSets::default();
    if supported.get(csid).is_some() {
        return Ok(csid);
    }
    let names: Vec<_> = supported.csids().map(|csid| csid.to_string()).collect();
    Err(format!(
        "cipher set {csid} is not built into this program, which has {}",
        names.join(", ")
    ))
}

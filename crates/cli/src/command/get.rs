//! `mesh get`: one request, as curl makes it.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use mesh::prelude::*;
use mesh::thtp::{Body, BodyError, ThtpError};
use tempfile::NamedTempFile;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::access::Access;
use crate::args::{Get, Global};
use crate::endpoint::{Endpoint, Listening};
use crate::failure::{Code, Failure, Outcome};
use crate::operation::link_up;
use crate::record::Record;
use crate::report::Report;
use crate::stdio;

pub(crate) async fn run(global: &Global, options: &Get) -> Outcome {
    let (name, path) = split(&options.url)?;
    let file = file(options, &path)?;
    let request = request(options, &path)?;
    match Access::open(global, &Listening::dialing()).await? {
        #[cfg(unix)]
        Access::Running(_) => Err(Failure::usage(
            "an endpoint runs already, and `mesh get` needs one of its own",
        )
        .hint("run `mesh proxy` and fetch with curl, or use another identity with --id")),
        Access::Own(endpoint) => {
            let mut report = Report::stderr(global.json);
            let work = fetch(
                &endpoint,
                options,
                &name,
                request,
                file.as_deref(),
                &mut report,
            );
            endpoint.while_up(work).await
        }
    }
}

async fn fetch(
    endpoint: &Endpoint,
    options: &Get,
    name: &str,
    request: Request<Body>,
    file: Option<&Path>,
    report: &mut Report,
) -> Outcome {
    let link = link_up(endpoint, name, options.wait).await?;
    let response = link.request(request).await.map_err(no_response)?;
    let status = response.status();
    if options.fail && (status.is_client_error() || status.is_server_error()) {
        return Err(Failure::failed(format_args!(
            "the server answered {status}"
        )));
    }
    match (options.head, file) {
        (true, _) => write(&head(&response)).await,
        (false, Some(file)) => download(response, file, report).await,
        (false, None) => {
            let out = stdio::output().map_err(|error| Failure::output(&error))?;
            let copied = copy(response, out, &Failure::output, &mut Report::stderr(true)).await;
            copied.map_err(|failure| match failure.code {
                Code::Unreachable => failure.hint("what was written so far is not complete"),
                _ => failure,
            })
        }
    }
}

/// The name and the path of `NAME/PATH`, also as a browser has them.
fn split(url: &str) -> Outcome<(String, String)> {
    let plain = url.strip_prefix("http://").unwrap_or(url);
    let at = plain.find(['/', '?']).unwrap_or(plain.len());
    let (name, path) = plain.split_at(at);
    let name = name.split_once(".localhost").map_or(name, |(name, _)| name);
    if name.is_empty() || name.contains(':') {
        return Err(
            Failure::usage(format_args!("`{url}` names nobody to ask")).hint(
                "give an alias, a hashname or the beginning of it, and a path, as bob/index.html",
            ),
        );
    }
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Ok((name.to_owned(), path))
}

fn file(options: &Get, path: &str) -> Outcome<Option<PathBuf>> {
    if !options.remote_name {
        return Ok(options.output.clone());
    }
    let path = path.split('?').next().unwrap_or_default();
    match path.rsplit('/').next() {
        Some(name) if !name.is_empty() && !name.starts_with('.') => Ok(Some(name.into())),
        _ => Err(Failure::usage("the path names no file").hint("name one with -o")),
    }
}

fn request(options: &Get, path: &str) -> Outcome<Request<Body>> {
    let usage = |what: &str| Failure::usage(format_args!("{what} cannot be sent"));
    let body = match options
        .data
        .as_deref()
        .map(|data| (data, data.strip_prefix('@')))
    {
        None => None,
        Some((_, Some(file))) => Some(
            std::fs::read(file)
                .map_err(|error| Failure::usage(format_args!("cannot read {file}: {error}")))?,
        ),
        Some((data, None)) => Some(data.as_bytes().to_vec()),
    };
    let method = match (&options.request, options.head, &body) {
        (Some(method), ..) => method.parse().map_err(|_| usage("the method"))?,
        (None, true, _) => Method::HEAD,
        (None, false, Some(_)) => Method::POST,
        (None, false, None) => Method::GET,
    };
    let uri: Uri = path.parse().map_err(|_| usage("the path"))?;
    let length = body.as_ref().map(Vec::len);
    let mut request = Request::new(body.map_or_else(Body::empty, Body::full));
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    if let Some(length) = length {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, form);
        request
            .headers_mut()
            .insert(http::header::CONTENT_LENGTH, length.into());
    }
    let mut given = HashSet::new();
    for header in &options.header {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| usage("a header without a colon"))?;
        let name: HeaderName = name.trim().parse().map_err(|_| usage("the header"))?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| usage("the header"))?;
        // The first takes the place of ours, the others come beside it.
        match given.insert(name.clone()) {
            true => _ = request.headers_mut().insert(name, value),
            false => _ = request.headers_mut().append(name, value),
        }
    }
    Ok(request)
}

fn head(response: &Response<Body>) -> Vec<u8> {
    let mut out = format!("HTTP {}\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    }
    out
}

async fn write(bytes: &[u8]) -> Outcome {
    let written = async {
        let mut out = stdio::output()?;
        out.write_all(bytes).await?;
        out.flush().await
    };
    written.await.map_err(|error| Failure::output(&error))
}

/// Into a file beside, which gets its name once it is whole, and is gone if it never is. Into a device or
/// a pipe as it comes.
async fn download(response: Response<Body>, file: &Path, report: &mut Report) -> Outcome {
    let cannot = |error: &io::Error| {
        Failure::failed(format_args!("cannot write {}: {error}", file.display()))
    };
    // What a link leads to is replaced, not the link.
    let file = &file.canonicalize().unwrap_or_else(|_| file.to_owned());
    if file.metadata().is_ok_and(|there| !there.is_file()) {
        let out = tokio::fs::OpenOptions::new().write(true).open(file).await;
        return copy(
            response,
            out.map_err(|error| cannot(&error))?,
            &cannot,
            report,
        )
        .await;
    }
    let part = beside(file).map_err(|error| cannot(&error))?;
    let out = part.reopen().map_err(|error| cannot(&error))?;
    let out = tokio::fs::File::from_std(out);
    copy(response, out, &cannot, report).await?;
    let named = part.persist(file);
    named.map(drop).map_err(|error| cannot(&error.error))
}

/// A new file in the same folder, with the permissions that files have there.
fn beside(file: &Path) -> io::Result<NamedTempFile> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    let mut part = tempfile::Builder::new();
    part.prefix(&name).suffix(".part");
    #[cfg(unix)]
    part.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    part.tempfile_in(folder.unwrap_or(Path::new(".")))
}

async fn copy(
    response: Response<Body>,
    mut out: impl AsyncWrite + Unpin,
    cannot: &(dyn Fn(&io::Error) -> Failure + Sync),
    report: &mut Report,
) -> Outcome {
    let total = http_body::Body::size_hint(response.body()).exact();
    let mut body = response.into_body();
    let mut done = 0;
    while let Some(frame) = body.frame().await {
        let data: Bytes = match frame.map_err(|error| broken(&error))?.into_data() {
            Ok(data) => data,
            Err(_trailers) => continue,
        };
        let written = out.write_all(&data).await;
        written.map_err(|error| cannot(&error))?;
        done += data.len() as u64;
        if let Some(total) = total {
            report.report(Record::Progress { done, total }).await?;
        }
    }
    out.flush().await.map_err(|error| cannot(&error))
}

fn broken(error: &BodyError) -> Failure {
    Failure::unreachable(format_args!("the response broke off: {error}"))
}

fn no_response(error: ThtpError) -> Failure {
    match error {
        ThtpError::Request(_) => Failure::usage(error),
        ThtpError::Refused(_) => Failure::new(Code::Refused, error).hint("there, run `mesh serve`"),
        error => Failure::unreachable(error),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};

    use super::*;

    async fn downloaded(body: Body, file: &Path) -> Outcome {
        download(Response::new(body), file, &mut Report::stderr(true)).await
    }

    #[tokio::test]
    async fn what_is_no_file_is_written_to_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let reader = tokio::task::spawn_blocking({
            let pipe = pipe.clone();
            move || std::fs::read(pipe)
        });
        downloaded(Body::full("hello"), &pipe).await.unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), b"hello");
        assert!(pipe.metadata().unwrap().file_type().is_fifo());
    }

    #[tokio::test]
    async fn a_file_is_replaced_where_it_is_and_only_by_a_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file.part"), "of somebody else").unwrap();
        std::fs::write(at("file"), "old").unwrap();
        symlink(at("file"), at("link")).unwrap();
        let broken = cut_off();
        let failure = downloaded(broken, &at("link")).await.unwrap_err();
        assert_eq!(failure.code, Code::Unreachable, "{failure}");
        assert_eq!(std::fs::read(at("file")).unwrap(), b"old");
        downloaded(Body::full("new"), &at("link")).await.unwrap();
        assert!(at("link").is_symlink());
        assert_eq!(std::fs::read(at("file")).unwrap(), b"new");
        assert_eq!(std::fs::read(at("file.part")).unwrap(), b"of somebody else");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        std::fs::write(at("other"), "").unwrap();
        let mode = |name: &str| at(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode("file"), mode("other"), "as other files have it");
    }

    /// A body that breaks off.
    fn cut_off() -> Body {
        let (sender, body) = http_body_util::channel::Channel::<Bytes, io::Error>::new(1);
        sender.abort(io::Error::other("cut"));
        Body::new(body)
    }
}

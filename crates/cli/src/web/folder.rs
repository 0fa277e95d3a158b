//! A folder as a web site.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{CONTENT_LENGTH, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use mesh::thtp::Body;
use tower_http::services::ServeDir;
use tower_service::Service;

use super::listing;
use crate::failure::{Failure, Outcome};

/// Serves the files of a folder: `index.html` for folders or else a list, types, ranges. Nothing outside
/// of it is served, also where a symbolic link leads out; nor is anything whose name begins with a dot,
/// but `.well-known`.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// Without symbolic links.
    root: PathBuf,
    files: ServeDir,
}

impl Folder {
    pub(crate) fn new(folder: &Path) -> Outcome<Self> {
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::usage(format_args!("cannot serve {}: {error}", folder.display()))
                .hint("give a folder, or the URL of a local web server")
        };
        let root = folder.canonicalize().map_err(|error| cannot(&error))?;
        if !root.is_dir() {
            return Err(cannot(&"it is not a folder"));
        }
        let files = ServeDir::new(&root);
        Ok(Self { root, files })
    }

    /// Where on the disk a path leads, if that may be served.
    fn find(&self, path: &str) -> Option<PathBuf> {
        self.find_decoded(&decoded(path)?)
    }

    fn find_decoded(&self, path: &str) -> Option<PathBuf> {
        let mut found = self.root.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let hidden = part.starts_with('.') && part != ".well-known";
            let odd = part.contains('\0') || cfg!(windows) && part.contains(['\\', ':']);
            if hidden || odd {
                return None;
            }
            found.push(part);
        }
        let found = found.canonicalize().ok()?;
        // Opening a pipe would wait for whoever writes to it.
        let there = found.metadata().ok()?;
        if !there.is_file() && !there.is_dir() {
            return None;
        }
        let inside = found.strip_prefix(&self.root).ok()?;
        // A link inside may lead to what is hidden.
        let hidden = inside.iter().any(|part| {
            let part = part.to_string_lossy();
            part.starts_with('.') && part != ".well-known"
        });
        (!hidden).then_some(found)
    }

    async fn answer(mut self, request: Request<Body>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let asked = request.uri().path().to_owned();
        // As a place to go on to, it would be another host's.
        if asked.starts_with("//") {
            return status(StatusCode::NOT_FOUND);
        }
        let folder = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let found = folder.find(&asked)?;
            let lists = found.is_dir() && asked.ends_with('/');
            match lists && folder.find(&format!("{asked}index.html")).is_none() {
                true => Some(Some(folder.list(&found, &asked))),
                false => Some(None),
            }
        });
        match looked.await {
            Ok(Some(Some(list))) => list,
            Ok(Some(None)) => self.file(request).await,
            Ok(None) => status(StatusCode::NOT_FOUND),
            Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl Folder {
    /// The list of a folder: what may be served of it.
    fn list(&self, folder: &Path, asked: &str) -> Response<Body> {
        let Some(path) = decoded(asked) else {
            return status(StatusCode::NOT_FOUND);
        };
        let served = |name: &str| self.find_decoded(&format!("{path}{name}"));
        match listing::of(folder, &path, served) {
            Ok(list) => list,
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "a folder cannot be read");
                status(StatusCode::FORBIDDEN)
            }
        }
    }

    async fn file(&mut self, request: Request<Body>) -> Response<Body> {
        let mut whole = Request::new(Body::empty());
        *whole.method_mut() = request.method().clone();
        *whole.uri_mut() = request.uri().clone();
        *whole.headers_mut() = request.headers().clone();
        whole.headers_mut().remove(RANGE);
        let wanted = request.headers().get(IF_RANGE).cloned();
        let response = self.read(request).await;
        // A part of another version than the one that there are parts of already.
        let is_other = response.status() == StatusCode::PARTIAL_CONTENT
            && wanted
                .is_some_and(|version| response.headers().get(LAST_MODIFIED) != Some(&version));
        match is_other {
            true => self.read(whole).await,
            false => response,
        }
    }

    async fn read(&mut self, request: Request<Body>) -> Response<Body> {
        match self.files.call(request).await {
            Ok(response) => secured(of_its_length(response.map(Body::new))),
            Err(never) => match never {},
        }
    }
}

fn decoded(path: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    decoded.ok().map(Into::into)
}

/// A file that grows while it is read has the length that it had.
fn of_its_length(response: Response<Body>) -> Response<Body> {
    let length = response.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let Some(mut left) = length else {
        return response;
    };
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            frame.map_data(|mut data| {
                data.truncate(left);
                left -= data.len();
                data
            })
        }))
    })
}

/// A file is what its name says, and nothing that a browser guesses.
fn secured(mut response: Response<Body>) -> Response<Body> {
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(http::header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// A response of nothing but its status.
pub(super) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::full(format!("{status}\n")));
    *response.status_mut() = status;
    response
}

impl Service<Request<Body>> for Folder {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let folder = self.clone();
        Box::pin(async move { Ok(folder.answer(request).await) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_and_nothing_hidden_is_found() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        std::fs::write(at(".hidden"), "x").unwrap();
        #[cfg(unix)]
        {
            // Opening it would wait for whoever writes.
            let made = std::process::Command::new("mkfifo")
                .arg(at("pipe"))
                .status();
            assert!(made.unwrap().success());
            std::os::unix::fs::symlink(outside.path(), at("out")).unwrap();
            std::os::unix::fs::symlink(at(".hidden"), at("shown")).unwrap();
            std::os::unix::fs::symlink(at("file"), at("same")).unwrap();
        }
        let site = Folder::new(folder.path()).unwrap();
        for good in ["/", "/file", "/%66ile", "//file"] {
            assert!(site.find(good).is_some(), "{good}");
        }
        #[cfg(unix)]
        assert!(site.find("/same").is_some());
        for bad in [
            "/out/secret",
            "/out",
            "/.hidden",
            "/%2ehidden",
            "/shown",
            "/../file",
            "/%2e%2e/x",
            "/a%00",
            "/..%2f..%2fetc/passwd",
            "/pipe",
            "/none",
        ] {
            assert!(site.find(bad).is_none(), "{bad}");
        }
    }

    async fn asked(site: &Folder, path: &str, headers: &[(&str, &str)]) -> (Response<()>, String) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let (parts, body) = site.clone().answer(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (Response::from_parts(parts, ()), body)
    }

    #[tokio::test]
    async fn a_part_is_of_the_version_that_is_asked_for_or_all_of_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "0123456789").unwrap();
        let site = Folder::new(folder.path()).unwrap();
        let (whole, _) = asked(&site, "/file", &[]).await;
        let version = whole.headers()[LAST_MODIFIED].to_str().unwrap().to_owned();
        let range = ("range", "bytes=5-");
        let (part, body) = asked(&site, "/file", &[range, ("if-range", &version)]).await;
        assert_eq!(
            (part.status(), &*body),
            (StatusCode::PARTIAL_CONTENT, "56789")
        );
        for other in ["Thu, 01 Jan 1970 00:00:00 GMT", "\"a tag\""] {
            let (all, body) = asked(&site, "/file", &[range, ("if-range", other)]).await;
            assert_eq!((all.status(), &*body), (StatusCode::OK, "0123456789"));
        }
    }

    #[tokio::test]
    async fn a_list_has_what_is_served_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a file: 50% off"), "x").unwrap();
        std::fs::write(folder.path().join(".hidden"), "x").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc", folder.path().join("out")).unwrap();
        let site = Folder::new(folder.path()).unwrap();
        let (list, body) = asked(&site, "/", &[]).await;
        assert_eq!(list.status(), StatusCode::OK);
        assert!(body.contains("a file: 50% off"), "{body}");
        assert!(!body.contains("hidden") && !body.contains("out<"), "{body}");
        let (file, _) = asked(&site, "/a%20file%3A%2050%25%20off", &[]).await;
        assert_eq!(file.status(), StatusCode::OK);
        let (elsewhere, _) = asked(&site, "//evil.example", &[]).await;
        assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_file_that_grows_has_the_length_that_it_had() {
        let grown = Response::builder()
            .header(CONTENT_LENGTH, 4)
            .body(Body::full("0123456789"))
            .unwrap();
        let body = of_its_length(grown).into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "0123");
    }
}

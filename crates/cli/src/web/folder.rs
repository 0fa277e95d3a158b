//! A folder as a web site.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderValue, Method, Request, Response, StatusCode};
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
        let decoded = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .ok()?;
        let mut found = self.root.clone();
        for part in decoded.split('/').filter(|part| !part.is_empty()) {
            let hidden = part.starts_with('.') && part != ".well-known";
            if hidden || part.contains(['\\', ':', '\0']) {
                return None;
            }
            found.push(part);
        }
        let found = found.canonicalize().ok()?;
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
        let path = request.uri().path().to_owned();
        let folder = self.clone();
        let asked = path.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let found = folder.find(&asked)?;
            let lists = found.is_dir() && asked.ends_with('/');
            match lists && folder.find(&format!("{asked}index.html")).is_none() {
                true => Some(Some(listing::of(&found, &asked))),
                false => Some(None),
            }
        });
        match looked.await {
            Ok(Some(Some(list))) => list,
            Ok(Some(None)) => match self.files.call(request).await {
                Ok(response) => secured(response.map(Body::new)),
                Err(never) => match never {},
            },
            Ok(None) => status(StatusCode::NOT_FOUND),
            Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
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
            "/none",
        ] {
            assert!(site.find(bad).is_none(), "{bad}");
        }
    }
}

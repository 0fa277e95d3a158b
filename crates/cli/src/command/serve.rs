//! `mesh serve`: a folder or a local web server, for those who may link to us.

use std::path::Path;

use mesh::Mesh;
use mesh::prelude::*;
use mesh::thtp::proxy::ReverseProxy;
use mesh::{thtp, ws};

use crate::access::Access;
use crate::args::{Global, Serve, Site};
use crate::endpoint::Endpoint;
use crate::failure::{Code, Failure, Outcome};
use crate::operation::Request;
use crate::record::Record;
use crate::report::Report;
use crate::web::{self, Folder};

pub(crate) async fn run(global: &Global, options: Serve, report: &mut Report) -> Outcome {
    let Serve { mut site, at } = options;
    if !is_url(&site.what) {
        // A running endpoint has another working directory.
        let folder = std::path::absolute(&site.what);
        let folder = folder.map_err(|error| Failure::usage(format_args!("no folder: {error}")))?;
        Folder::new(&folder)?;
        site.what = folder.display().to_string();
    }
    let access = Access::open(global, &at.listening(true)).await?;
    #[cfg(unix)]
    if matches!(access, Access::Running(_)) {
        at.refuse_for_running()?;
    }
    match access.perform(Request::Serve(site), report).await {
        // There is no other way for it to end well.
        Err(failure) if failure.code == Code::Interrupted => Ok(()),
        outcome => outcome,
    }
}

/// Serves until this is given up.
pub(crate) async fn perform(endpoint: &Endpoint, site: &Site, report: &mut Report) -> Outcome {
    let Ok(_only) = endpoint.serving.try_lock() else {
        return Err(Failure::failed("this endpoint serves something already")
            .hint("end that `mesh serve` first"));
    };
    let _served = publish(&endpoint.mesh, &site.what)?;
    report.report(endpoint.ready(site.qr)?).await?;
    let hashname = endpoint.hashname().to_string();
    let url = format!("http://{hashname}.localhost:8042/");
    let what = site.what.clone();
    report.report(Record::Serving { what, url }).await?;
    std::future::pending().await
}

fn publish(mesh: &Mesh, what: &str) -> Outcome<Served> {
    if is_url(what) {
        let proxy = ReverseProxy::new(what).map_err(Failure::usage)?;
        mesh.on_ws(web::to_server(what).map_err(Failure::usage)?);
        mesh.serve_thtp(proxy);
    } else {
        mesh.serve_thtp(Folder::new(Path::new(what))?);
    }
    Ok(Served(mesh.clone()))
}

fn is_url(what: &str) -> bool {
    what.contains("://")
}

/// Nothing is served any more once this is gone.
struct Served(Mesh);

impl Drop for Served {
    fn drop(&mut self) {
        for kind in [thtp::TYPE, ws::TYPE, ws::OTHER_TYPE] {
            self.0.remove_handler(kind);
        }
    }
}

//! The web server that answers, and the two that stand in for the mesh.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process;

/// What every response carries.
pub(super) const BODY: &str = "A hundred bytes or so, as small things of the web are: an answer to a question, a flag, a line of state.";

/// What one may take to listen.
const LIMIT: Duration = Duration::from_secs(20);

/// A running nginx.
pub(super) struct Nginx {
    child: Child,
    address: SocketAddr,
}

/// One that answers everything with [`BODY`].
pub(super) fn backend(folder: &Path) -> Result<Nginx> {
    Nginx::start(folder, "backend", "", &format!("return 200 '{BODY}';"), "")
}

/// Two of them with TLS between.
pub(super) struct Hops {
    front: Nginx,
    _back: Nginx,
}

impl Hops {
    /// They lead to `backend`.
    pub(super) fn start(folder: &Path, backend: SocketAddr) -> Result<Self> {
        certificate(folder)?;
        let tls = "ssl_certificate cert.pem; ssl_certificate_key key.pem;";
        let back = Nginx::start(folder, "back", tls, &pass("http"), &upstream(backend))?;
        let next = upstream(back.address);
        let front = Nginx::start(folder, "front", "", &pass("https"), &next)?;
        Ok(Self { front, _back: back })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.front.address
    }
}

/// Connections to the next one are kept, or each request would have one of its own.
fn upstream(next: SocketAddr) -> String {
    format!("upstream next {{ server {next}; keepalive 64; keepalive_requests 1000000; }}")
}

fn pass(scheme: &str) -> String {
    format!("proxy_pass {scheme}://next; proxy_http_version 1.1; proxy_set_header Connection '';")
}

fn certificate(folder: &Path) -> Result<()> {
    let made = process::finish(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:P-256", "-nodes", "-days", "1"])
            .args([
                "-subj",
                "/CN=localhost",
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
            ])
            .current_dir(folder),
        LIMIT,
    )?;
    ensure!(made.code == Some(0), "openssl: {}", made.last_error_line());
    Ok(())
}

impl Nginx {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// One process, so that nothing is left of it when it is killed.
    fn start(folder: &Path, name: &str, tls: &str, location: &str, upstream: &str) -> Result<Self> {
        // It cannot tell which port it got.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let ssl = if tls.is_empty() { "" } else { "ssl" };
        let file = folder.join(format!("{name}.conf"));
        let config = format!(
            "daemon off; master_process off; pid {name}.pid;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
             access_log off; keepalive_requests 1000000;\n\
             client_body_temp_path {name}-body; proxy_temp_path {name}-proxy;\n\
             fastcgi_temp_path {name}-fastcgi; uwsgi_temp_path {name}-uwsgi; scgi_temp_path {name}-scgi;\n\
             {upstream}\n\
             server {{ listen {address} {ssl}; {tls} location / {{ {location} }} }}\n\
             }}\n"
        );
        fs::write(&file, config)?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(folder)
            .args(["-e", "stderr", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .context("nginx is not installed")?;
        let mut started = Self { child, address };
        started.wait()?;
        Ok(started)
    }

    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("nginx ended with {status}");
            }
            ensure!(
                Instant::now() < deadline,
                "nginx does not listen after {LIMIT:?}"
            );
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        process::end(&mut self.child);
    }
}

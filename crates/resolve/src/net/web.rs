//! A web client that fetches small documents over https, and does nothing else.

use std::error::Error;
use std::sync::Arc;

use reqwest::header::{ACCEPT, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;
use url::Url;

use crate::document::{self, DocumentError, MAX_DOCUMENT_LEN, MAX_REDIRECTS};
use crate::{LookUpError, LookUps};

/// The client. It sends no cookies, goes through no proxy, asks for no compression, and takes no
/// certificate but those that the system, or whoever made the [`LookUps`], trusts.
pub(crate) struct Web(Client);

impl Web {
    pub(crate) fn new(look_ups: &LookUps) -> Result<Self, LookUpError> {
        let tls = tls(look_ups).map_err(|error| LookUpError::Local(error.to_string()))?;
        let mut client = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .pool_max_idle_per_host(0);
        #[cfg(feature = "dns")]
        if !look_ups.name_servers.is_empty() {
            client = client.dns_resolver(names::Own(look_ups.name_servers.clone()));
        }
        for (host, address) in &look_ups.connect_to {
            client = client.resolve(host, *address);
        }
        let client = client.build();
        Ok(Self(
            client.map_err(|error| LookUpError::Local(reason(&error)))?,
        ))
    }

    /// The document at `url`, or where that redirects to.
    pub(crate) async fn fetch(&self, url: &Url, accept: &str) -> Result<Vec<u8>, LookUpError> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get(&at, accept).await?;
            match location(&response) {
                None => return body(url, response).await,
                Some(location) => at = secure(url, &at, &location)?,
            }
        }
        Err(LookUpError::TooManyRedirects {
            url: url.to_string(),
        })
    }

    async fn get(&self, url: &Url, accept: &str) -> Result<Response, LookUpError> {
        let request = self.0.get(url.clone()).header(ACCEPT, accept);
        request.send().await.map_err(|error| failed(url, &error))
    }
}

/// What a document, found at `url`, says; or what is wrong with it.
pub(crate) fn said<T>(url: &Url, read: Result<T, DocumentError>) -> Result<T, LookUpError> {
    read.map_err(|error| LookUpError::Document {
        url: url.to_string(),
        error,
    })
}

/// The provider is named, so that none has to be installed for the whole process.
fn tls(look_ups: &LookUps) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let roots = look_ups.roots.iter().cloned().map(CertificateDer::from);
    let verifier = Verifier::new_with_extra_roots(roots, provider.clone())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Where the answer says to look instead.
fn location(response: &Response) -> Option<String> {
    let is_redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    is_redirect.then(|| location.to_owned())
}

fn secure(asked: &Url, at: &Url, location: &str) -> Result<Url, LookUpError> {
    let next = at.join(location).ok().filter(document::is_https);
    next.ok_or_else(|| LookUpError::InsecureRedirect {
        url: asked.to_string(),
    })
}

/// Read no further than the limit, whatever length the server promises.
async fn body(url: &Url, mut response: Response) -> Result<Vec<u8>, LookUpError> {
    if !response.status().is_success() {
        return Err(LookUpError::Status {
            url: url.to_string(),
            status: response.status().as_u16(),
        });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failed(url, &error))?
    {
        if body.len() + chunk.len() > MAX_DOCUMENT_LEN {
            return said(url, Err(DocumentError::TooLong));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(url: &Url, error: &reqwest::Error) -> LookUpError {
    LookUpError::Fetch {
        url: url.to_string(),
        reason: reason(error),
    }
}

/// The innermost error, which is the one that says what happened.
fn reason(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The addresses of web servers, from name servers of the application's own.
#[cfg(feature = "dns")]
mod names {
    use std::net::SocketAddr;

    use reqwest::dns::{Addrs, Name, Resolve, Resolving};

    use crate::net::dns::Names;

    pub(super) struct Own(pub(super) Vec<SocketAddr>);

    impl Resolve for Own {
        fn resolve(&self, name: Name) -> Resolving {
            let names = Names::new(&self.0);
            Box::pin(async move {
                let found = names?.addresses(name.as_str()).await?;
                // The port is that of the URL.
                let addresses = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
                let addresses: Addrs = Box::new(addresses);
                Ok(addresses)
            })
        }
    }
}

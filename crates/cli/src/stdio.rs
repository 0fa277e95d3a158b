//! Standard input and output as bulk data: unbuffered, and not looked at line by line.

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes that one read or write of a file moves at most.
#[cfg(unix)]
const BLOCK: usize = 256 * 1024;

/// Standard input.
#[cfg(unix)]
pub(crate) fn input() -> std::io::Result<impl AsyncRead + Unpin + Send> {
    use std::os::fd::AsFd as _;
    let file = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(BLOCK);
    Ok(file)
}

/// Standard output. Flush it: only then is everything written, or an error known.
#[cfg(unix)]
pub(crate) fn output() -> std::io::Result<impl AsyncWrite + Unpin + Send> {
    use std::os::fd::AsFd as _;
    let file = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(BLOCK);
    Ok(file)
}

/// Standard input.
#[cfg(not(unix))]
pub(crate) fn input() -> std::io::Result<impl AsyncRead + Unpin + Send> {
    Ok(tokio::io::stdin())
}

/// Standard output. Flush it: only then is everything written, or an error known.
#[cfg(not(unix))]
pub(crate) fn output() -> std::io::Result<impl AsyncWrite + Unpin + Send> {
    Ok(tokio::io::stdout())
}

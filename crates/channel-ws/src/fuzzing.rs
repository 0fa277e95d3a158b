//! The bodies of the fuzz targets: each takes any bytes, must not panic on its own account, and
//! asserts what has to hold for them.

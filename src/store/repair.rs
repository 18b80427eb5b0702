//! Mending a damaged store: finding the last whole state, and putting records and index in order again.

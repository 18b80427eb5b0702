//! How steps are done.

use super::*;

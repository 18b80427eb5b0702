//! Where the user's own files are.

use std::{ffi::OsString, path::PathBuf};

/// Where the user's own files are, as far as agent CLIs and we are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homes {
    /// `HOME`.
    pub home: PathBuf,
    /// `XDG_CONFIG_HOME`.
    pub config: PathBuf,
    /// `CLAUDE_CONFIG_DIR`.
    pub claude: PathBuf,
    /// `CODEX_HOME`.
    pub codex: PathBuf,
    /// `COPILOT_HOME`.
    pub copilot: PathBuf,
}

impl Homes {
    /// Those of this process; `None` for a user without a home.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
    pub fn read() -> Option<Homes> {
        Homes::from_lookup(|name| std::env::var_os(name))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Option<Homes> {
        // A relative one would be another in every folder.
        let set = |name| lookup(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = set("HOME")?;
        let or = |name, default| set(name).unwrap_or_else(|| home.join(default));
        Some(Homes {
            config: or("XDG_CONFIG_HOME", ".config"),
            claude: or("CLAUDE_CONFIG_DIR", ".claude"),
            codex: or("CODEX_HOME", ".codex"),
            copilot: or("COPILOT_HOME", ".copilot"),
            home,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_home_may_be_elsewhere() {
        let homes = |vars: &[(&str, &str)]| {
            Homes::from_lookup(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value)))
        };
        let found = homes(&[("HOME", "/h"), ("CODEX_HOME", "/c"), ("XDG_CONFIG_HOME", "relative")]).expect("a home");
        assert_eq!((found.codex, found.config), (PathBuf::from("/c"), PathBuf::from("/h/.config")));
        assert_eq!(homes(&[("CODEX_HOME", "/c")]), None);
    }
}

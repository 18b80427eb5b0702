//! Who else may use what we make in the git directory, as `core.sharedRepository` says.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

/// With whom a repository is shared. It is git's own rule: what git makes and what we make beside it have to be usable
/// by the same people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Whoever the umask lets.
    #[default]
    Umask,
    /// These permissions at least, whatever the umask takes away.
    AtLeast(u32),
    /// These permissions and no others.
    Exactly(u32),
}

const GROUP: Sharing = Sharing::AtLeast(0o660);
const EVERYBODY: Sharing = Sharing::AtLeast(0o664);

impl Sharing {
    /// What a value of `core.sharedRepository` means; `None` for the name alone, without a value. There is no answer
    /// where git has none either, and refuses the repository.
    pub fn parse(value: Option<&str>) -> Option<Sharing> {
        let Some(value) = value else { return Some(GROUP) };
        match value {
            "" | "umask" => return Some(Sharing::Umask),
            "group" => return Some(GROUP),
            "all" | "world" | "everybody" => return Some(EVERYBODY),
            _ => {}
        }
        match u32::from_str_radix(value, 8) {
            Ok(0) => Some(Sharing::Umask),
            Ok(1) => Some(GROUP),
            Ok(2) => Some(EVERYBODY),
            // Others never get to write, and folders are made passable by another rule.
            Ok(mode) if mode & 0o600 == 0o600 => Some(Sharing::Exactly(mode & 0o666)),
            Ok(_) => None,
            Err(_) => match value.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Some(GROUP),
                "false" | "no" | "off" => Some(Sharing::Umask),
                number => number.parse::<i32>().ok().map(|number| if number == 0 { Sharing::Umask } else { GROUP }),
            },
        }
    }

    /// The permissions of a file that was made with `mode`. One that its owner may not write is one that nobody may.
    pub fn of_file(self, mode: u32) -> u32 {
        let (kept, given) = match self {
            Sharing::Umask => return mode,
            Sharing::AtLeast(given) => (mode, given),
            Sharing::Exactly(given) => (mode & !0o777, given),
        };
        let given = if mode & 0o200 == 0 { given & !0o222 } else { given };
        let run = if mode & 0o100 == 0 { 0 } else { (given & 0o444) >> 2 };
        kept | given | run
    }

    /// The permissions of a folder that was made with `mode`: who may read it may pass it, and what is made in it
    /// belongs to its group.
    pub fn of_folder(self, mode: u32) -> u32 {
        if self == Sharing::Umask {
            return mode;
        }
        let mode = self.of_file(mode);
        let mode = mode | (mode & 0o444) >> 2;
        if mode & 0o060 == 0 { mode } else { mode | 0o2000 }
    }

    /// Gives a file that was just made the permissions it should have.
    pub fn share(self, file: &File) -> io::Result<()> {
        self.apply(|| file.metadata(), Sharing::of_file, |permissions| file.set_permissions(permissions))
    }

    /// Makes a folder and those above it, as far as they are missing. Those that are there stay as they are.
    pub fn make_folders(self, path: &Path) -> io::Result<()> {
        if self == Sharing::Umask {
            return fs::create_dir_all(path);
        }
        match self.make_folder(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let above = path.parent().ok_or(error)?;
                self.make_folders(above)?;
                self.make_folder(path)
            }
            made => made,
        }
    }

    fn make_folder(self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Ok(()) => {
                self.apply(|| path.metadata(), Sharing::of_folder, |permissions| fs::set_permissions(path, permissions))
            }
            Err(_) if path.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    fn apply(
        self,
        now: impl Fn() -> io::Result<fs::Metadata>,
        rule: fn(Sharing, u32) -> u32,
        set: impl Fn(fs::Permissions) -> io::Result<()>,
    ) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        if self == Sharing::Umask {
            return Ok(());
        }
        let mode = now()?.permissions().mode() & 0o7777;
        let wanted = rule(self, mode);
        if wanted == mode { Ok(()) } else { set(fs::Permissions::from_mode(wanted)) }
    }

    #[cfg(not(unix))]
    fn apply(
        self,
        _: impl Fn() -> io::Result<fs::Metadata>,
        _: fn(Sharing, u32) -> u32,
        _: impl Fn(fs::Permissions) -> io::Result<()>,
    ) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_mean_what_they_mean_to_git() {
        for (value, sharing) in [
            (None, Some(GROUP)),
            (Some(""), Some(Sharing::Umask)),
            (Some("umask"), Some(Sharing::Umask)),
            (Some("false"), Some(Sharing::Umask)),
            (Some("0"), Some(Sharing::Umask)),
            (Some("group"), Some(GROUP)),
            (Some("TRUE"), Some(GROUP)),
            (Some("1"), Some(GROUP)),
            (Some("9"), Some(GROUP)),
            (Some("all"), Some(EVERYBODY)),
            (Some("2"), Some(EVERYBODY)),
            (Some("0640"), Some(Sharing::Exactly(0o640))),
            (Some("0777"), Some(Sharing::Exactly(0o666))),
            (Some("0440"), None),
            (Some("friends"), None),
        ] {
            assert_eq!(Sharing::parse(value), sharing, "{value:?}");
        }
    }

    #[test]
    fn permissions_are_those_of_git() {
        // Setting, made as, then as a file and as a folder: seen with git 2.47 under umask 077 and 022.
        for (sharing, made, file, folder) in [
            (Sharing::Umask, 0o600, 0o600, 0o600),
            (GROUP, 0o600, 0o660, 0o2770),
            (GROUP, 0o400, 0o440, 0o2550),
            (GROUP, 0o700, 0o770, 0o2770),
            (GROUP, 0o755, 0o775, 0o2775),
            (EVERYBODY, 0o600, 0o664, 0o2775),
            (EVERYBODY, 0o444, 0o444, 0o2555),
            (Sharing::Exactly(0o640), 0o644, 0o640, 0o2750),
            (Sharing::Exactly(0o600), 0o755, 0o700, 0o700),
        ] {
            assert_eq!(sharing.of_file(made), file, "{sharing:?} {made:o}");
            assert_eq!(sharing.of_folder(made) & 0o7777, folder, "{sharing:?} {made:o}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_folders_that_are_made_are_changed() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().expect("a folder");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).expect("set");
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o7777;
        let below = root.path().join("a/b/c");
        Sharing::Exactly(0o660).make_folders(&below).expect("made");
        Sharing::Exactly(0o660).make_folders(&below).expect("there");
        assert_eq!(mode(root.path()), 0o700);
        below.ancestors().take(3).for_each(|made| assert_eq!(mode(made), 0o2770, "{}", made.display()));
        fs::write(below.join("file"), "").expect("written");
        assert!(GROUP.make_folders(&below.join("file")).is_err());
    }
}

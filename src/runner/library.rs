//! The workflows there are: those of the repository, then the user's, then those that come with git-aio.

use super::{
    builtin,
    language::{Library, Surroundings, Withheld},
    work::Who,
};
use crate::{
    base::text,
    ops::workflow::{FOLDER, Roster, Texts, WorkFiles, name_of},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a model on the machine itself is called.
const LOCAL: &str = "local";

/// Where a workflow comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It comes with git-aio.
    Builtin,
    /// The user's own: the file.
    Own(String),
    /// The repository: the file, from the root.
    Repository(String),
    /// A file that was named.
    Named(String),
}

/// All workflows.
#[derive(Debug, Clone, Default)]
pub struct Workflows {
    texts: Texts,
    /// Whether those of the repository count only when they are approved, as for running them.
    is_strict: bool,
    /// A file that stands for the workflow of its name.
    named: Option<(String, String, String)>,
}

impl Workflows {
    /// Those to look at: nothing of them is run.
    pub fn to_look_at(texts: Texts) -> Workflows {
        Workflows { texts, ..Workflows::default() }
    }

    /// Those to run.
    pub fn to_run(texts: Texts) -> Workflows {
        Workflows { texts, is_strict: true, named: None }
    }

    /// The same, with a file that was named in the place of the workflow called `name`.
    pub fn with(self, name: &str, file: &str, text: String) -> Workflows {
        Workflows { named: Some((name.to_owned(), file.to_owned(), text)), ..self }
    }

    /// Where the workflow of this name comes from, with its text; that is empty for one that can't be read.
    pub fn find(&self, name: &str) -> Option<(Origin, &str)> {
        if let Some((known, file, text)) = &self.named
            && known == name
        {
            return Some((Origin::Named(file.clone()), text));
        }
        let file = format!("{name}.toml");
        let nothing = |unreadable: &BTreeMap<String, String>| unreadable.contains_key(&file).then_some("");
        let of_repository = self.texts.repository.get(&file).map(String::as_str);
        if let Some(text) = of_repository.or_else(|| nothing(&self.texts.unreadable)) {
            return Some((Origin::Repository(format!("{FOLDER}/{file}")), text));
        }
        let own = self.texts.own.get(&file).map(String::as_str);
        if let Some(text) = own.or_else(|| nothing(&self.texts.own_unreadable)) {
            let folder = self.texts.own_folder.as_deref();
            let path = folder.map_or_else(|| file.clone(), |folder| folder.join(&file).display().to_string());
            return Some((Origin::Own(path), text));
        }
        builtin::find(name).map(|builtin| (Origin::Builtin, builtin.text))
    }

    /// Whether the one of this name comes with git-aio.
    pub fn is_shipped(&self, name: &str) -> bool {
        matches!(self.find(name), Some((Origin::Builtin, _)))
    }

    /// Whether it can't be run, since nobody has approved it.
    pub fn waits(&self, origin: &Origin) -> bool {
        matches!(origin, Origin::Repository(_)) && !self.texts.is_approved
    }

    /// The names of those of the repository.
    pub fn of_repository(&self) -> impl Iterator<Item = &str> {
        let all: BTreeSet<&str> =
            self.texts.repository.keys().chain(self.texts.unreadable.keys()).filter_map(|path| name_of(path)).collect();
        all.into_iter()
    }

    /// Why the one that comes from there can't be read, if that is so.
    fn unreadable(&self, name: &str, origin: &Origin) -> Option<&String> {
        let among = match origin {
            Origin::Repository(_) => &self.texts.unreadable,
            Origin::Own(_) => &self.texts.own_unreadable,
            Origin::Builtin | Origin::Named(_) => return None,
        };
        among.get(&format!("{name}.toml"))
    }
}

impl Library for Workflows {
    fn workflow(&self, name: &str) -> Result<Option<(String, String)>, Withheld> {
        let Some((origin, text)) = self.find(name) else { return Ok(None) };
        let why = self.unreadable(name, &origin).cloned();
        if why.is_none() && self.is_strict && self.waits(&origin) {
            return Err(Withheld::NotApproved(format!("{FOLDER}/{name}.toml is not approved")));
        }
        let file = match origin {
            Origin::Builtin => format!("{name}.toml"),
            Origin::Own(path) | Origin::Repository(path) | Origin::Named(path) => path,
        };
        if let Some(why) = why {
            return Err(Withheld::Unreadable(file, why));
        }
        Ok(Some((file, text.to_owned())))
    }

    fn include(&self, workflow: &str, path: &str) -> Result<String, String> {
        let (texts, unreadable) = match self.find(workflow) {
            Some((Origin::Repository(_) | Origin::Named(_), _)) => (&self.texts.repository, &self.texts.unreadable),
            Some((Origin::Own(_), _)) => (&self.texts.own, &self.texts.own_unreadable),
            _ => return Err("there is no such file".into()),
        };
        let why = || unreadable.get(path).cloned().unwrap_or_else(|| "there is no such file".into());
        texts.get(path).cloned().ok_or_else(why)
    }

    fn names(&self) -> Vec<String> {
        let Texts { repository, unreadable, own, own_unreadable, .. } = &self.texts;
        let files = [repository, unreadable, own, own_unreadable].into_iter().flat_map(BTreeMap::keys);
        let files = files.filter_map(|path| name_of(path));
        let all: BTreeSet<&str> = files.chain(builtin::ALL.iter().map(|builtin| builtin.name)).collect();
        all.into_iter().map(str::to_owned).collect()
    }
}

/// What a workflow sees of a repository.
pub struct Seen {
    /// The files; none in a bare repository.
    pub files: Option<WorkFiles>,
    /// Who may be given work.
    pub roster: Roster,
}

impl Surroundings for Seen {
    fn glob(&self, pattern: &str) -> Result<Vec<String>, String> {
        self.files.as_ref().map_or_else(|| Ok(Vec::new()), |files| files.glob(pattern))
    }

    fn file(&self, path: &str, limit: usize) -> Result<String, String> {
        self.files.as_ref().ok_or_else(|| format!("{path} is not there"))?.text(path, limit)
    }

    fn who(&self, word: &str) -> Result<Who, String> {
        let Roster { tools, agents, .. } = &self.roster;
        let has = |known: &[String], name: &str| known.iter().any(|one| one == name);
        // A local model has whatever name a repository gives it, and where it has given none the next is asked.
        let is_tool = |name: &str| has(tools, name) || name == LOCAL;
        let who = Who::named(word, &self.roster);
        match &who {
            Who::Agent { tool: Some(tool), persona: None } if !is_tool(tool) => {
                Err(unknown("tool or agent", tool, tools.iter().chain(agents)))
            }
            Who::Agent { tool: Some(tool), .. } if !is_tool(tool) => Err(unknown("tool", tool, tools)),
            Who::Agent { persona: Some(persona), .. } if !has(agents, persona) => {
                Err(unknown("agent", persona, agents))
            }
            _ => Ok(who),
        }
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let checks = self.roster.checks.iter().map(String::as_str);
        if checks.clone().any(|known| known == name) {
            return Ok(());
        }
        let meant =
            text::nearest(name, checks).map(|nearest| format!("; did you mean @{nearest}?")).unwrap_or_default();
        Err(format!("there is no check @{}{meant}", text::one_line(name, 60)))
    }
}

/// That nobody is called so, and who may have been meant.
fn unknown<'k>(what: &str, name: &str, known: impl IntoIterator<Item = &'k String>) -> String {
    let nearest = text::nearest(name, known.into_iter().map(String::as_str));
    let meant = nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
    format!("there is no {what} '{}'{meant}", text::one_line(name, 60))
}

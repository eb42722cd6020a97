//! Where a file is: what a worker finds for the names of a path.

use super::names::is_hidden;
use crate::http::file_types;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// The codings of files that were compressed before, by preference, with the ending of their names.
const CODINGS: [(&str, &str); 3] = [("zstd", "zst"), ("br", "br"), ("gzip", "gz")];

/// What is done with a path in which a name begins with a dot. `.well-known` at the top of the folder (RFC 8615) is served in any
/// case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dotfiles {
    /// It is answered as if there were no such file: 404. The default.
    #[default]
    Hide,
    /// 403, whether there is such a file or not.
    Deny,
}

/// What is done with symbolic links below the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// They are followed to what is inside the folder; 404 if they lead outside. The default.
    #[default]
    Inside,
    /// They are not followed: 404.
    Refuse,
}

/// Which files a worker looks for, and in which folder.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The folder, absolute, without links.
    pub root: PathBuf,
    pub index: Option<String>,
    pub extensions: Vec<String>,
    pub dotfiles: Dotfiles,
    pub links: Links,
    pub precompressed: bool,
    pub not_found: Option<PathBuf>,
    pub spa: Option<PathBuf>,
}

/// A file that can be sent.
#[derive(Debug)]
pub(super) struct Located {
    pub path: PathBuf,
    /// The path below the folder, as the request has it.
    pub name: PathBuf,
    /// The media type that its name has.
    pub media_type: &'static str,
    /// The codings in which a compressed copy of it exists.
    pub coded: Vec<(&'static str, PathBuf)>,
}

pub(super) enum Place {
    File(Located),
    /// A folder that has a page. Its path lacks the slash at the end, without which the page's relative links would lead elsewhere.
    Folder,
    /// A hidden name, which is to be denied.
    Denied,
    /// No file. The page of the app, for a request that wants pages.
    App(Located),
    /// No file. This is the page that is sent with 404, if there is one.
    Nothing(Option<Located>),
}

impl Plan {
    /// Looks for a file. Runs on a worker. `wants_page`: a page of an app may answer in its place.
    pub fn look(&self, names: &[String], ends_with_slash: bool, wants_page: bool) -> Place {
        if names.iter().enumerate().any(|(at, name)| is_hidden(at, name.as_bytes())) {
            return match self.dotfiles {
                Dotfiles::Hide => self.nothing(),
                Dotfiles::Deny => Place::Denied,
            };
        }
        let name: PathBuf = names.iter().collect();
        if ends_with_slash {
            if let Some(file) = self.index_of(&name) {
                return Place::File(file);
            }
        } else if let Some((path, metadata)) = self.find(&name) {
            if metadata.is_file() {
                return Place::File(self.located(name, path));
            }
            if metadata.is_dir() && self.index_of(&name).is_some() {
                return Place::Folder;
            }
        } else if let Some(file) = self.with_extension(&name) {
            return Place::File(file);
        }
        match self.spa.as_deref().filter(|_| wants_page).and_then(|page| self.file(page)) {
            Some(page) => Place::App(page),
            None => self.nothing(),
        }
    }

    /// Looks for the page that says that there is no file.
    pub fn nothing(&self) -> Place {
        Place::Nothing(self.not_found.as_deref().and_then(|page| self.file(page)))
    }

    fn index_of(&self, folder: &Path) -> Option<Located> {
        self.file(&folder.join(self.index.as_deref()?))
    }

    fn with_extension(&self, name: &Path) -> Option<Located> {
        name.file_name()?;
        self.extensions.iter().find_map(|extension| self.file(&with_ending(name, extension)))
    }

    fn file(&self, name: &Path) -> Option<Located> {
        let (path, metadata) = self.find(name)?;
        metadata.is_file().then(|| self.located(name.to_owned(), path))
    }

    fn located(&self, name: PathBuf, path: PathBuf) -> Located {
        let mut coded = Vec::new();
        if self.precompressed {
            for (coding, ending) in CODINGS {
                let found = self.find(&with_ending(&name, ending)).filter(|(_, metadata)| metadata.is_file());
                coded.extend(found.map(|(path, _)| (coding, path)));
            }
        }
        Located { path, media_type: file_types::of(&name), name, coded }
    }

    /// Finds the file or folder with this name below the folder, following links. `None` if nothing has this name, or if it is
    /// outside of the folder, hidden, or behind a link that must not be followed.
    fn find(&self, name: &Path) -> Option<(PathBuf, Metadata)> {
        let asked = self.root.join(name);
        let path = asked.canonicalize().ok()?;
        let below = path.strip_prefix(&self.root).ok()?;
        if below.iter().enumerate().any(|(at, name)| is_hidden(at, name.as_encoded_bytes())) {
            return None;
        }
        if self.links == Links::Refuse && below != name {
            return None;
        }
        let metadata = path.symlink_metadata().ok()?;
        Some((path, metadata))
    }
}

fn with_ending(name: &Path, ending: &str) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

//! Which paths a job is about: include and exclude globs with the meaning they have in `.gitignore`.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{MirrorError, Policy};
use crate::model::RelPath;

/// The globs of a policy, ready to be asked.
#[derive(Debug, Clone)]
pub struct Filter {
    include: Option<Gitignore>,
    exclude: Gitignore,
}

impl Filter {
    /// Those of `policy`.
    ///
    /// # Errors
    /// Names the glob that cannot be understood.
    pub fn new(policy: &Policy) -> Result<Self, MirrorError> {
        let include = if policy.include.is_empty() { None } else { Some(globs(&policy.include, false)?) };
        Ok(Self { include, exclude: globs(&policy.exclude, false)? })
    }

    /// Is the entry left out, looking at it alone? Directories above it were asked before.
    #[must_use]
    pub fn leaves_out(&self, path: &RelPath, is_dir: bool) -> bool {
        if self.exclude.matched(path.as_path(), is_dir).is_ignore() {
            return true;
        }
        // A directory is walked even when nothing includes it: something in it may be included.
        !is_dir
            && self
                .include
                .as_ref()
                .is_some_and(|include| !include.matched_path_or_any_parents(path.as_path(), false).is_ignore())
    }

    /// Is the path left out by itself or by a directory above it?
    #[must_use]
    pub fn leaves_out_anywhere(&self, path: &RelPath, is_dir: bool) -> bool {
        self.leaves_out(path, is_dir)
            || (!path.is_root() && self.exclude.matched_path_or_any_parents(path.as_path(), is_dir).is_ignore())
    }
}

/// Globs as in `.gitignore`, ready to be asked, with `any_case` for names in whatever case.
///
/// # Errors
/// Names the glob that cannot be understood.
pub(super) fn globs(globs: &[String], any_case: bool) -> Result<Gitignore, MirrorError> {
    let mut builder = GitignoreBuilder::new("");
    let failed = |error| MirrorError::Policy(format!("the globs cannot be understood: {error}"));
    builder.case_insensitive(any_case).map_err(failed)?;
    for glob in globs {
        builder
            .add_line(None, glob)
            .map_err(|error| MirrorError::Policy(format!("the glob '{glob}' cannot be understood: {error}")))?;
    }
    builder.build().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let texts = |globs: &[&str]| globs.iter().map(|g| (*g).to_owned()).collect();
        Filter::new(&Policy { include: texts(include), exclude: texts(exclude), ..Policy::default() }).unwrap()
    }

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn means_what_gitignore_means() {
        let filter = filter(&[], &["*.tmp", "!keep.tmp", "/only-top", "cache/"]);
        assert!(filter.leaves_out(&path("a/b.tmp"), false));
        assert!(!filter.leaves_out(&path("a/keep.tmp"), false));
        assert!(filter.leaves_out(&path("only-top"), false));
        assert!(!filter.leaves_out(&path("a/only-top"), false));
        assert!(filter.leaves_out(&path("a/cache"), true));
        assert!(!filter.leaves_out(&path("a/cache"), false));
        assert!(filter.leaves_out_anywhere(&path("a/cache/x"), false));
    }

    #[test]
    fn includes_files_and_walks_folders() {
        let filter = filter(&["*.pdf", "/reports/"], &["draft*"]);
        assert!(!filter.leaves_out(&path("a"), true));
        assert!(!filter.leaves_out(&path("a/x.pdf"), false));
        assert!(filter.leaves_out(&path("a/x.txt"), false));
        assert!(!filter.leaves_out(&path("reports/2024/x.txt"), false));
        assert!(filter.leaves_out(&path("a/draft.pdf"), false));
    }
}

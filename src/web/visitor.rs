//! Who asks.
use super::frame::{Theme, Note};
pub struct SignedIn { pub name: String, pub admin: bool }
impl SignedIn { pub fn name(&self) -> &str { &self.name } pub fn is_admin(&self) -> bool { self.admin } }
pub struct Visitor { pub who: Option<SignedIn>, pub theme: Theme, pub path: String, pub csrf: String, pub note: Option<Note> }
impl Visitor {
 pub fn signed_in(&self) -> Option<&SignedIn> { self.who.as_ref() }
 pub fn theme(&self) -> Theme { self.theme }
 pub fn path(&self) -> &str { &self.path }
 pub fn csrf(&self) -> &str { &self.csrf }
 pub fn note(&self) -> Option<&Note> { self.note.as_ref() }
}

//! The contract suite: see the MIRROR owner.

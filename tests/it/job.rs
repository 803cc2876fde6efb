//! The job store and its worker, in processes that live and die.

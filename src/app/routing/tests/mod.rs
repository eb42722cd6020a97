mod canonical;
mod conflicts;
mod naive;
mod path_to_regexp;
mod patterns;
mod program;
mod radix_tries;

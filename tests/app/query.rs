//! Queries: flat pairs, whatever their names look like; read into a type by what the type wants; and never quoted in an answer.
//! Parameters of paths are read into types in the same way.

use crate::support::http::*;
use crate::support::logger::lines;
use oneloop::app::App;
use oneloop::http::{self, Request};
use oneloop::sim::Sim;
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Queries of the suites of qs, busboy and the WHATWG URL standard, with the pairs that are in them.
///
/// qs reads some of them otherwise. It makes objects and lists of brackets (`a[b]=c`, `a[]=b`), and with options also of dots and
/// commas; it drops names that every JavaScript object has (`toString`); it refuses names with a bracket that is not closed. Here
/// a name is a name: there is nothing to be nested too deeply, no index to be too large, and no name that is special. It also drops
/// empty names, and we keep them, as browsers do.
const FLAT: &[(&str, &[(&str, &str)])] = &[
    // Simple pairs.
    ("0=foo", &[("0", "foo")]),
    ("foo=c++", &[("foo", "c  ")]),
    ("foo", &[("foo", "")]),
    ("foo=", &[("foo", "")]),
    ("foo=bar", &[("foo", "bar")]),
    ("%20foo%20=%20bar%20=%20baz%20", &[(" foo ", " bar = baz ")]),
    ("foo=bar=baz", &[("foo", "bar=baz")]),
    ("foo=bar&bar=baz", &[("foo", "bar"), ("bar", "baz")]),
    ("foo2=bar2&baz2=", &[("foo2", "bar2"), ("baz2", "")]),
    ("foo=bar&baz", &[("foo", "bar"), ("baz", "")]),
    ("foo&bar=baz", &[("foo", ""), ("bar", "baz")]),
    ("foo&bar", &[("foo", ""), ("bar", "")]),
    ("foo&bar&", &[("foo", ""), ("bar", "")]),
    ("_r=1&", &[("_r", "1")]),
    ("cht=p3&chd=t:60,40&chl=Hello%7CWorld", &[("cht", "p3"), ("chd", "t:60,40"), ("chl", "Hello|World")]),
    ("a=b&a=c", &[("a", "b"), ("a", "c")]),
    ("a=b;c=d", &[("a", "b;c=d")]),
    ("?foo=bar", &[("?foo", "bar")]),
    // Encoded.
    ("foo=bar+baz%2Bquux", &[("foo", "bar baz+quux")]),
    ("foo=bar%20baz%21", &[("foo", "bar baz!")]),
    ("foo%20bar=baz%20bla%21", &[("foo bar", "baz bla!")]),
    ("he%3Dllo=th%3Dere", &[("he=llo", "th=ere")]),
    ("a%26b=c%26d", &[("a&b", "c&d")]),
    ("name%252Eobj.first=John", &[("name%2Eobj.first", "John")]),
    ("pets=%5B%22tobi%22%5D", &[("pets", "[\"tobi\"]")]),
    ("%E2%82%AC=%c3%bc", &[("€", "ü")]),
    ("nul=%00", &[("nul", "\0")]),
    // Malformed: percent signs stay, and bytes that are not UTF-8 are replaced.
    ("foo=%", &[("foo", "%")]),
    ("foo=%:%2", &[("foo", "%:%2")]),
    ("%zz=%u2603", &[("%zz", "%u2603")]),
    ("foo=%ff", &[("foo", "\u{fffd}")]),
    ("foo=%c0%ae", &[("foo", "\u{fffd}\u{fffd}")]),
    ("foo=%ed%a0%80", &[("foo", "\u{fffd}\u{fffd}\u{fffd}")]),
    // Empty names.
    ("", &[]),
    ("&", &[]),
    ("&&", &[]),
    ("&&&&&", &[]),
    ("=", &[("", "")]),
    ("&=", &[("", "")]),
    ("&=&", &[("", "")]),
    ("&=&=", &[("", ""), ("", "")]),
    ("&=&=&", &[("", ""), ("", "")]),
    ("=&", &[("", "")]),
    ("=&&&", &[("", "")]),
    ("=&=&=&", &[("", ""), ("", ""), ("", "")]),
    ("=a", &[("", "a")]),
    ("a==a", &[("a", "=a")]),
    ("=a&=b", &[("", "a"), ("", "b")]),
    ("=a&foo=b", &[("", "a"), ("foo", "b")]),
    ("=&a[]=b&a[1]=c", &[("", ""), ("a[]", "b"), ("a[1]", "c")]),
    ("a[]=b&a=c&=", &[("a[]", "b"), ("a", "c"), ("", "")]),
    ("[]=a&[]=b&%20[]=1", &[("[]", "a"), ("[]", "b"), (" []", "1")]),
    ("[deep]=a&[deep]=2", &[("[deep]", "a"), ("[deep]", "2")]),
    ("%5B0%5D=a&%5B1%5D=b", &[("[0]", "a"), ("[1]", "b")]),
    // Not nested.
    ("a[b]=c", &[("a[b]", "c")]),
    ("a[b][c]=d", &[("a[b][c]", "d")]),
    ("a[b][c][d][e][f][g][h]=i", &[("a[b][c][d][e][f][g][h]", "i")]),
    ("a[>=]=23", &[("a[>", "]=23")]),
    ("a[<=>]==23", &[("a[<", ">]==23")]),
    ("a[==]=23", &[("a[", "=]=23")]),
    ("a[]=b&a[]=c", &[("a[]", "b"), ("a[]", "c")]),
    ("a[0]=b&a[1]=c", &[("a[0]", "b"), ("a[1]", "c")]),
    ("a[1000000000]=b", &[("a[1000000000]", "b")]),
    ("a[-1]=b", &[("a[-1]", "b")]),
    ("a[12b]=c", &[("a[12b]", "c")]),
    ("a=b,c", &[("a", "b,c")]),
    ("a[]=1,2", &[("a[]", "1,2")]),
    ("a.b=c", &[("a.b", "c")]),
    ("foo[0].baz[0]=15", &[("foo[0].baz[0]", "15")]),
    ("filter%5B0%5D%5B%5D=int1&filter%5B%5D=and", &[("filter[0][]", "int1"), ("filter[]", "and")]),
    ("a[bc=v", &[("a[bc", "v")]),
    ("][a=v", &[("][a", "v")]),
    ("a]b=v", &[("a]b", "v")]),
    ("search[withbracket[]]=foobar", &[("search[withbracket[]]", "foobar")]),
    // More of qs, in whose options (dots, commas, limits of indexes and of depth) a name may be anything.
    (
        "cht=p3&chd=t:60,40&chs=250x100&chl=Hello|World",
        &[("cht", "p3"), ("chd", "t:60,40"), ("chs", "250x100"), ("chl", "Hello|World")],
    ),
    ("name%252Eobj.first=John&name%252Eobj.last=Doe", &[("name%2Eobj.first", "John"), ("name%2Eobj.last", "Doe")]),
    ("name.obj.first=John&name.obj.last=Doe", &[("name.obj.first", "John"), ("name.obj.last", "Doe")]),
    ("foo[]&bar=baz", &[("foo[]", ""), ("bar", "baz")]),
    ("testEmptyArray[]", &[("testEmptyArray[]", "")]),
    ("a[b][c][d]=e", &[("a[b][c][d]", "e")]),
    ("a[0][0]=b&a[0][1]=c&a[1]=d&e=2", &[("a[0][0]", "b"), ("a[0][1]", "c"), ("a[1]", "d"), ("e", "2")]),
    ("toString=foo", &[("toString", "foo")]),
    ("hasOwnProperty=bar", &[("hasOwnProperty", "bar")]),
    ("toString=foo&a=b", &[("toString", "foo"), ("a", "b")]),
    ("a[]=b", &[("a[]", "b")]),
    ("a[]=b&a[]=c&a[]=d", &[("a[]", "b"), ("a[]", "c"), ("a[]", "d")]),
    ("a=b&a[]=c", &[("a", "b"), ("a[]", "c")]),
    ("a[]=b&a=c", &[("a[]", "b"), ("a", "c")]),
    ("a[0]=b&a=c", &[("a[0]", "b"), ("a", "c")]),
    ("a=b&a[0]=c", &[("a", "b"), ("a[0]", "c")]),
    ("a[1]=b&a=c", &[("a[1]", "b"), ("a", "c")]),
    ("a=b&a[1]=c", &[("a", "b"), ("a[1]", "c")]),
    ("a[b][]=c&a[b][]=d", &[("a[b][]", "c"), ("a[b][]", "d")]),
    ("a[>=]=25", &[("a[>", "]=25")]),
    ("a[b[]]=c", &[("a[b[]]", "c")]),
    ("list[][x[]]=y", &[("list[][x[]]", "y")]),
    ("a[b[c[]]]=d", &[("a[b[c[]]]", "d")]),
    ("a[b[c[]]][d]=e", &[("a[b[c[]]][d]", "e")]),
    ("a[[]b=c", &[("a[[]b", "c")]),
    ("a[1]=c&a[0]=b&a[2]=d", &[("a[1]", "c"), ("a[0]", "b"), ("a[2]", "d")]),
    ("a[1]=c&a[0]=b", &[("a[1]", "c"), ("a[0]", "b")]),
    ("a[1]=c", &[("a[1]", "c")]),
    ("a[19]=a", &[("a[19]", "a")]),
    ("a[20]=a", &[("a[20]", "a")]),
    ("a[b%20c]=d", &[("a[b c]", "d")]),
    ("a[b]=c%20d", &[("a[b]", "c d")]),
    ("pets=[\"tobi\"]", &[("pets", "[\"tobi\"]")]),
    ("operators=[\">=\",%20\"<=\"]", &[("operators", "[\">=\", \"<=\"]")]),
    ("foo[0]=bar&foo[bad]=baz", &[("foo[0]", "bar"), ("foo[bad]", "baz")]),
    ("foo[bad]=baz&foo[0]=bar", &[("foo[bad]", "baz"), ("foo[0]", "bar")]),
    ("foo[bad]=baz&foo[]=bar", &[("foo[bad]", "baz"), ("foo[]", "bar")]),
    ("foo[]=bar&foo[bad]=baz", &[("foo[]", "bar"), ("foo[bad]", "baz")]),
    ("foo[bad]=baz&foo[]=bar&foo[]=foo", &[("foo[bad]", "baz"), ("foo[]", "bar"), ("foo[]", "foo")]),
    (
        "foo[0][a]=a&foo[0][b]=b&foo[1][a]=aa&foo[1][b]=bb",
        &[("foo[0][a]", "a"), ("foo[0][b]", "b"), ("foo[1][a]", "aa"), ("foo[1][b]", "bb")],
    ),
    ("a[]=b&a[t]=u&a[hasOwnProperty]=c", &[("a[]", "b"), ("a[t]", "u"), ("a[hasOwnProperty]", "c")]),
    ("a[]=b&a[hasOwnProperty]=c&a[x]=y", &[("a[]", "b"), ("a[hasOwnProperty]", "c"), ("a[x]", "y")]),
    ("foo[0].baz=bar&fool.bad=baz", &[("foo[0].baz", "bar"), ("fool.bad", "baz")]),
    ("foo[0].baz=bar&fool.bad.boo=baz", &[("foo[0].baz", "bar"), ("fool.bad.boo", "baz")]),
    ("foo[0][0].baz=bar&fool.bad=baz", &[("foo[0][0].baz", "bar"), ("fool.bad", "baz")]),
    ("foo[0].baz[0]=15&foo[0].bar=2", &[("foo[0].baz[0]", "15"), ("foo[0].bar", "2")]),
    (
        "foo[0].baz[0]=15&foo[0].baz[1]=16&foo[0].bar=2",
        &[("foo[0].baz[0]", "15"), ("foo[0].baz[1]", "16"), ("foo[0].bar", "2")],
    ),
    ("foo.bad=baz&foo[0]=bar", &[("foo.bad", "baz"), ("foo[0]", "bar")]),
    ("foo.bad=baz&foo[]=bar", &[("foo.bad", "baz"), ("foo[]", "bar")]),
    ("foo[]=bar&foo.bad=baz", &[("foo[]", "bar"), ("foo.bad", "baz")]),
    ("foo.bad=baz&foo[]=bar&foo[]=foo", &[("foo.bad", "baz"), ("foo[]", "bar"), ("foo[]", "foo")]),
    (
        "foo[0].a=a&foo[0].b=b&foo[1].a=aa&foo[1].b=bb",
        &[("foo[0].a", "a"), ("foo[0].b", "b"), ("foo[1].a", "aa"), ("foo[1].b", "bb")],
    ),
    ("a[2]=b&a[99999999]=c", &[("a[2]", "b"), ("a[99999999]", "c")]),
    ("{%:%}", &[("{%:%}", "")]),
    ("{%:%}=", &[("{%:%}", "")]),
    ("foo=%:%}", &[("foo", "%:%}")]),
    ("bad[constructor][prototype][bad]=bad", &[("bad[constructor][prototype][bad]", "bad")]),
    ("a[][b]=c", &[("a[][b]", "c")]),
    ("a[0][b]=c", &[("a[0][b]", "c")]),
    ("a[]=b&a[]=&a[]=c", &[("a[]", "b"), ("a[]", ""), ("a[]", "c")]),
    ("a[0]=b&a[1]&a[2]=c&a[19]=", &[("a[0]", "b"), ("a[1]", ""), ("a[2]", "c"), ("a[19]", "")]),
    ("a[]=b&a[]&a[]=c&a[]=", &[("a[]", "b"), ("a[]", ""), ("a[]", "c"), ("a[]", "")]),
    ("a[0]=b&a[1]=&a[2]=c&a[19]", &[("a[0]", "b"), ("a[1]", ""), ("a[2]", "c"), ("a[19]", "")]),
    ("a[]=b&a[]=&a[]=c&a[]", &[("a[]", "b"), ("a[]", ""), ("a[]", "c"), ("a[]", "")]),
    ("a[]=&a[]=b&a[]=c", &[("a[]", ""), ("a[]", "b"), ("a[]", "c")]),
    ("a[10]=1&a[2]=2", &[("a[10]", "1"), ("a[2]", "2")]),
    ("a[1][b][2][c]=1", &[("a[1][b][2][c]", "1")]),
    ("a[1][2][3][c]=1", &[("a[1][2][3][c]", "1")]),
    ("a[1][2][3][c][1]=1", &[("a[1][2][3][c][1]", "1")]),
    ("a[4]=1&a[1]=2", &[("a[4]", "1"), ("a[1]", "2")]),
    ("[]=&a=b", &[("[]", ""), ("a", "b")]),
    ("[]&a=b", &[("[]", ""), ("a", "b")]),
    ("[foo]=bar", &[("[foo]", "bar")]),
    ("a=b", &[("a", "b")]),
    ("a=b;%20c=d", &[("a", "b; c=d")]),
    ("a=b&c=d", &[("a", "b"), ("c", "d")]),
    ("a[0]=b", &[("a[0]", "b")]),
    ("foo=bar,tee", &[("foo", "bar,tee")]),
    ("foo[bar]=coffee,tee", &[("foo[bar]", "coffee,tee")]),
    ("a[0]=c", &[("a[0]", "c")]),
    ("a[]=c", &[("a[]", "c")]),
    ("a[0]=c&a[1]=d", &[("a[0]", "c"), ("a[1]", "d")]),
    ("a[]=c&a[]=d", &[("a[]", "c"), ("a[]", "d")]),
    ("a=c,d", &[("a", "c,d")]),
    ("foo=1", &[("foo", "1")]),
    ("foo=0", &[("foo", "0")]),
    ("foo[]=1,2,3&foo[]=4,5,6", &[("foo[]", "1,2,3"), ("foo[]", "4,5,6")]),
    ("foo[]=1,2,3&foo[]=", &[("foo[]", "1,2,3"), ("foo[]", "")]),
    ("foo[]=1,2,3&foo[]=,", &[("foo[]", "1,2,3"), ("foo[]", ",")]),
    ("foo[]=1,2,3&foo[]=a", &[("foo[]", "1,2,3"), ("foo[]", "a")]),
    ("foo%5B%5D=1,2,3&foo%5B%5D=4,5,6", &[("foo[]", "1,2,3"), ("foo[]", "4,5,6")]),
    ("foo%5B%5D=1,2,3&foo%5B%5D=", &[("foo[]", "1,2,3"), ("foo[]", "")]),
    ("foo%5B%5D=1,2,3&foo%5B%5D=,", &[("foo[]", "1,2,3"), ("foo[]", ",")]),
    ("foo%5B%5D=1,2,3&foo%5B%5D=a", &[("foo[]", "1,2,3"), ("foo[]", "a")]),
    ("foo=a%2Cb", &[("foo", "a,b")]),
    ("foo=a%2C%20b,d", &[("foo", "a, b,d")]),
    ("foo=a%2C%20b,c%2C%20d", &[("foo", "a, b,c, d")]),
    ("a[hasOwnProperty]=b", &[("a[hasOwnProperty]", "b")]),
    ("hasOwnProperty=b", &[("hasOwnProperty", "b")]),
    ("toString", &[("toString", "")]),
    ("frozenProp", &[("frozenProp", "")]),
    ("]=toString", &[("]", "toString")]),
    ("]]=toString", &[("]]", "toString")]),
    ("]hello]=toString", &[("]hello]", "toString")]),
    ("[=toString", &[("[", "toString")]),
    ("[[=toString", &[("[[", "toString")]),
    ("[hello[=toString", &[("[hello[", "toString")]),
    ("a[b]=c&a=d", &[("a[b]", "c"), ("a", "d")]),
    ("a[b]=c&a=toString", &[("a[b]", "c"), ("a", "toString")]),
    ("a=d&a[b]=c", &[("a", "d"), ("a[b]", "c")]),
    ("foo[__proto__][hidden]=value&foo[bar]=stuffs", &[("foo[__proto__][hidden]", "value"), ("foo[bar]", "stuffs")]),
    ("a[b]=c&a[hasOwnProperty]=d", &[("a[b]", "c"), ("a[hasOwnProperty]", "d")]),
    ("a[]=b&a[c]=d", &[("a[]", "b"), ("a[c]", "d")]),
    ("%8c%a7=%91%e5%8d%e3%95%7b", &[("��", "���{")]),
    ("a", &[("a", "")]),
    ("a[b]=true", &[("a[b]", "true")]),
    ("%A2=%BD", &[("�", "�")]),
    ("utf8=", &[("utf8", "")]),
    ("a=", &[("a", "")]),
    ("utf8=foo&", &[("utf8", "foo")]),
    ("foo=&bar=", &[("foo", ""), ("bar", "")]),
    ("null=1&ToNull=2", &[("null", "1"), ("ToNull", "2")]),
    ("b&a[]=1,", &[("b", ""), ("a[]", "1,")]),
    ("%u263A=%u263A", &[("%u263A", "%u263A")]),
    ("KeY=vAlUe", &[("KeY", "vAlUe")]),
    ("a=1&b=2&c=3", &[("a", "1"), ("b", "2"), ("c", "3")]),
    ("a=1&b=2&c=3&d=4&e=5&f=6", &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5"), ("f", "6")]),
    ("a=1&b=2", &[("a", "1"), ("b", "2")]),
    ("a=1&b=2&c=3&d=4&e=5", &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")]),
    ("a[]=1&a[]=2&a[]=3", &[("a[]", "1"), ("a[]", "2"), ("a[]", "3")]),
    ("a[]=1&a[]=2&a[]=3&a[]=4", &[("a[]", "1"), ("a[]", "2"), ("a[]", "3"), ("a[]", "4")]),
    (
        "a[1]=1&a[2]=2&a[3]=3&a[4]=4&a[5]=5&a[6]=6",
        &[("a[1]", "1"), ("a[2]", "2"), ("a[3]", "3"), ("a[4]", "4"), ("a[5]", "5"), ("a[6]", "6")],
    ),
    ("a[1001]=b", &[("a[1001]", "b")]),
    ("a[0]=1&a[1]=2&a[2]=3&a[10]=4", &[("a[0]", "1"), ("a[1]", "2"), ("a[2]", "3"), ("a[10]", "4")]),
    ("a[2]=b", &[("a[2]", "b")]),
    ("a[4]=b", &[("a[4]", "b")]),
    (
        "a[]=1&a[]=2&a[]=3&a[]=4&a[]=5&a[]=6",
        &[("a[]", "1"), ("a[]", "2"), ("a[]", "3"), ("a[]", "4"), ("a[]", "5"), ("a[]", "6")],
    ),
    ("a=1,2,3&a=4,5,6", &[("a", "1,2,3"), ("a", "4,5,6")]),
    ("a=v,v,v,v,v&a=v,v,v,v,v&a=v,v,v,v,v", &[("a", "v,v,v,v,v"), ("a", "v,v,v,v,v"), ("a", "v,v,v,v,v")]),
    ("a=x&a=y", &[("a", "x"), ("a", "y")]),
    ("a[]=x&a[]=y", &[("a[]", "x"), ("a[]", "y")]),
    ("a=x&a[0]=y", &[("a", "x"), ("a[0]", "y")]),
    ("a[0]=1&a[1]=2&a=3", &[("a[0]", "1"), ("a[1]", "2"), ("a", "3")]),
    ("a[0]=x&a=y", &[("a[0]", "x"), ("a", "y")]),
    ("a[0]=x&a[]=y", &[("a[0]", "x"), ("a[]", "y")]),
    ("a=1,2,3&a=4", &[("a", "1,2,3"), ("a", "4")]),
    ("a[]=1,2,3&a[]=4,5,6", &[("a[]", "1,2,3"), ("a[]", "4,5,6")]),
    ("a=1,2,3,4,5,6", &[("a", "1,2,3,4,5,6")]),
    ("a=1,2", &[("a", "1,2")]),
    ("a[b]=1,2,3,4,5,6", &[("a[b]", "1,2,3,4,5,6")]),
    ("a=1,2,3", &[("a", "1,2,3")]),
    ("a=1,2,3,4,5", &[("a", "1,2,3,4,5")]),
    ("a[]=1,2,3,4,5,6", &[("a[]", "1,2,3,4,5,6")]),
    ("a[]=1,2,3", &[("a[]", "1,2,3")]),
    ("foo=bar&foo=baz", &[("foo", "bar"), ("foo", "baz")]),
    ("a=1&a=2&b[]=1&b[]=2", &[("a", "1"), ("a", "2"), ("b[]", "1"), ("b[]", "2")]),
    ("b[]=1&b[]=2", &[("b[]", "1"), ("b[]", "2")]),
    ("a[b][c][d][e][f][g][h][i]=j", &[("a[b][c][d][e][f][g][h][i]", "j")]),
    ("a[0][1][2][3][4]=b", &[("a[0][1][2][3][4]", "b")]),
    ("a[b][c][0][d][e]=f", &[("a[b][c][0][d][e]", "f")]),
    ("a[b][c][d][e]=true&a[b][c][d][f]=42", &[("a[b][c][d][e]", "true"), ("a[b][c][d][f]", "42")]),
    ("a[]=1", &[("a[]", "1")]),
    ("a[]=1&a[]=2", &[("a[]", "1"), ("a[]", "2")]),
    ("a=1,2,3,4", &[("a", "1,2,3,4")]),
    ("a[0]=b&a[c]=d", &[("a[0]", "b"), ("a[c]", "d")]),
    ("a=b&a=c&a=d", &[("a", "b"), ("a", "c"), ("a", "d")]),
    ("a[]=b&a[1]=c&a=d", &[("a[]", "b"), ("a[1]", "c"), ("a", "d")]),
    ("=&a[]=b", &[("", ""), ("a[]", "b")]),
    ("=&a[]=b&a[]=c&a[2]=d", &[("", ""), ("a[]", "b"), ("a[]", "c"), ("a[2]", "d")]),
    ("a[0]=b&a=c&=", &[("a[0]", "b"), ("a", "c"), ("", "")]),
    ("a=b&a[]=c&=", &[("a", "b"), ("a[]", "c"), ("", "")]),
    ("a=b&a[0]=c&=", &[("a", "b"), ("a[0]", "c"), ("", "")]),
    ("[0]=a&[1]=b&a[0]=1&a[1]=2", &[("[0]", "a"), ("[1]", "b"), ("a[0]", "1"), ("a[1]", "2")]),
    // Names that are special elsewhere.
    ("__proto__=x&toString=y", &[("__proto__", "x"), ("toString", "y")]),
    ("constructor[prototype][bad]=bad", &[("constructor[prototype][bad]", "bad")]),
    ("hasOwnProperty=1&length=2", &[("hasOwnProperty", "1"), ("length", "2")]),
];

/// Gives a query to `read`, and returns what that says.
fn ask<T: 'static>(query: &str, read: impl Fn(&Request) -> T + 'static) -> T {
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| {
        keep.put(read(&req));
        res.end(());
    });
    sim.request("GET", &format!("/?{query}")).send().expect(200);
    kept.take()
}

fn typed<T: DeserializeOwned + 'static>(query: &str) -> Result<T, String> {
    ask(query, |req| req.query_as()).map_err(|error: http::Error| {
        assert_eq!(error.status(), 400);
        error.text().to_owned()
    })
}

#[test]
fn a_query_is_flat_pairs_whatever_its_names_look_like() {
    for (query, expected) in FLAT {
        let pairs = ask(query, |req| {
            let owned = req.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()));
            owned.collect::<Vec<_>>()
        });
        let expected: Vec<_> =
            expected.iter().map(|(name, value)| (String::from(*name), String::from(*value))).collect();
        assert_eq!(pairs, expected, "{query}");
        assert_eq!(typed::<Vec<(String, String)>>(query).as_ref(), Ok(&expected), "{query}");
    }
}

#[test]
fn a_name_has_a_first_value_and_all_of_its_values() {
    let query = "tag=a&x=1&tag=b%21&%74ag=c&Tag=d";
    let first = |name: &'static str| ask(query, move |req| req.query_get(name).map(|value| value.into_owned()));
    assert_eq!((first("tag").as_deref(), first("x").as_deref(), first("no")), (Some("a"), Some("1"), None));
    let all = |name: &'static str| ask(query, move |req| req.query_all(name).map(String::from).collect::<Vec<_>>());
    assert_eq!((all("tag"), all("no")), (vec!["a".to_owned(), "b!".to_owned(), "c".to_owned()], vec![]));
    let (sim, _server) = serve(|req, res| res.end(format!("{:?}", req.query_get(""))));
    assert_eq!(sim.request("GET", "/").send().text(), "None", "no query at all");
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Everything {
    small: u8,
    signed: i64,
    huge: u128,
    ratio: f32,
    letter: char,
    text: String,
    switch: bool,
    maybe: Option<u16>,
    words: Option<String>,
    list: Vec<u32>,
    two: Option<(u8, String)>,
    order: Order,
    wrapped: Wrapped,
    some: Option<Vec<bool>>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Newest,
    Oldest,
    Rated(u8),
}

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Wrapped(i8);

#[test]
fn a_query_is_read_as_its_type_wants_it() {
    let no = Everything::default;
    for (query, expected) in [
        ("", no()),
        ("unknown=1&unknown=2", no()),
        (
            "small=255&signed=-7&huge=340282366920938463463374607431768211455",
            Everything { small: 255, signed: -7, huge: u128::MAX, ..no() },
        ),
        ("ratio=0.5&letter=%C3%BC&text=a+b", Everything { ratio: 0.5, letter: 'ü', text: "a b".into(), ..no() }),
        ("switch=true", Everything { switch: true, ..no() }),
        ("switch=on", Everything { switch: true, ..no() }),
        ("switch=false", no()),
        ("maybe=&words=", no()),
        ("maybe=3&words=x", Everything { maybe: Some(3), words: Some("x".into()), ..no() }),
        ("list=3", Everything { list: vec![3], ..no() }),
        ("list=3&small=1&list=1&list=2", Everything { list: vec![3, 1, 2], small: 1, ..no() }),
        ("two=1&two=b", Everything { two: Some((1, "b".into())), ..no() }),
        ("order=oldest&wrapped=-3", Everything { order: Order::Oldest, wrapped: Wrapped(-3), ..no() }),
        ("some=on&some=false", Everything { some: Some(vec![true, false]), ..no() }),
    ] {
        assert_eq!(typed(query), Ok(expected), "{query}");
    }
    let map = typed::<BTreeMap<String, String>>("b=1&a=2").unwrap();
    assert_eq!(map, BTreeMap::from([("a".into(), "2".into()), ("b".into(), "1".into())]));
    let lists = typed::<BTreeMap<String, Vec<u8>>>("b=1&a=2&b=3").unwrap();
    assert_eq!(lists, BTreeMap::from([("a".into(), vec![2]), ("b".into(), vec![1, 3])]));
    assert_eq!(typed("a=1"), Ok(()));
    assert_eq!(typed("a=1&b=x&a=2"), Ok(serde_json::json!({ "a": ["1", "2"], "b": "x" })));
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    page: u8,
    tag: Option<Order>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Nested {
    inner: Strict,
}

#[derive(Debug, PartialEq)]
struct Even(u32);

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Even, D::Error> {
        let text = String::deserialize(from)?;
        let number = text.parse().ok().filter(|number| number % 2 == 0);
        number.map(Even).ok_or_else(|| serde::de::Error::custom(format!("{text} is not even")))
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Custom {
    number: Even,
}

#[test]
fn what_is_wrong_with_a_query_is_said_without_quoting_it() {
    fn wrong<T: DeserializeOwned + Debug + 'static>(query: &str) -> String {
        typed::<T>(query).unwrap_err()
    }
    let whole = "query: `page`: a whole number from 0 to 255 is expected";
    for query in ["page=", "page=256", "page=-1", "page=1.0", "page=%20" /* a blank is no number */, "page=0x1"] {
        assert_eq!(wrong::<Strict>(query), whole, "{query}");
    }
    assert_eq!(wrong::<Strict>("tag=oldest"), "query: `page`: it is missing");
    assert_eq!(wrong::<Strict>("page=1&page=2"), "query: `page`: one value, not several, is expected");
    assert_eq!(wrong::<Strict>("page=1&page=1"), "query: `page`: one value, not several, is expected");
    assert_eq!(wrong::<Strict>("page=1&evil=1"), "query: a name is unknown: known are `page`, `tag`");
    assert_eq!(wrong::<Strict>("page=1&tag=evil"), "query: `tag`: one of `newest`, `oldest`, `rated` is expected");
    assert!(wrong::<Strict>("page=1&tag=rated").starts_with("query: `tag`: "), "a variant with content");
    assert_eq!(wrong::<Everything>("switch=yes"), "query: `switch`: true or false is expected");
    assert_eq!(wrong::<Everything>("ratio=x"), "query: `ratio`: a number is expected");
    assert_eq!(wrong::<Everything>("letter=ab"), "query: `letter`: a character is expected");
    assert_eq!(wrong::<Everything>("two=1"), "query: `two`: an array of 2 values is expected");
    assert_eq!(wrong::<Everything>("two=1&two=b&two=c"), "query: `two`: 2 elements in sequence is expected");
    assert_eq!(wrong::<Nested>("inner=evil"), "query: `inner`: the value is not valid");
    assert_eq!(wrong::<Custom>("number=3"), "query: `number`: the value is not valid");
    assert_eq!(wrong::<BTreeMap<String, String>>("evil=1&evil=2"), "query: one value, not several, is expected");
    assert!(wrong::<u32>("1").contains("is expected"), "a query is no number");
}

#[test]
fn what_a_type_says_of_a_query_goes_to_the_log_on_one_line() {
    keep_log();
    let (sim, _server) = serve(|req, res| {
        let custom: Custom = req.query_as()?;
        res.end(format!("{custom:?}"));
        Ok(())
    });
    let reply = sim.request("GET", "/?number=3%0aFORGED").send().expect(400);
    assert_eq!(reply.text(), "query: `number`: the value is not valid\n");
    let lines = lines(log::Level::Debug);
    let line = lines.iter().find(|line| line.text.contains("is not even")).unwrap();
    assert!(line.text.contains("3\\nFORGED is not even") && !line.text.contains('\n'), "{line:?}");
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "it is printed")]
struct Entry {
    year: u16,
    month: Option<u8>,
    kind: Kind,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Note,
    Photo,
}

#[test]
fn parameters_that_are_not_what_a_type_wants_are_404_and_a_parameter_that_no_path_has_is_500() {
    let mut app = App::new();
    app.get("/diary/:year{/:month}/:kind", |req, res| {
        let entry: Entry = req.params_as()?;
        res.end(format!("{entry:?}"));
        Ok(())
    });
    app.get("/other/:year", |req, res| {
        let entry: Entry = req.params_as()?;
        res.end(format!("{entry:?}"));
        Ok(())
    });
    let sim = Sim::new();
    app.listen(PORT, ()).unwrap();
    for (path, status, text) in [
        ("/diary/2026/11/note", 200, "Entry { year: 2026, month: Some(11), kind: Note }"),
        ("/diary/2026/%70hoto", 200, "Entry { year: 2026, month: None, kind: Photo }"),
        ("/diary/2026/300/note", 404, "404 Not Found\n"),
        ("/diary/-1/note", 404, "404 Not Found\n"),
        ("/diary/2026/11/film", 404, "404 Not Found\n"),
        ("/other/2026", 500, "500 Internal Server Error\n"),
    ] {
        let reply = sim.request("GET", path).send();
        assert_eq!((reply.status(), &*reply.text()), (status, text), "{path}");
    }
    let said = sim.log().pop().unwrap().text;
    assert!(said.ends_with("failed with 500: the route has no parameter `kind`"), "{said}");
}

#[test]
fn a_query_of_more_than_a_thousand_pairs_has_no_type() {
    let query = |pairs: usize| vec!["a=1"; pairs].join("&");
    assert_eq!(typed::<BTreeMap<String, Vec<u8>>>(&query(1_000)).unwrap()["a"].len(), 1_000);
    assert_eq!(typed::<()>(&query(1_001)), Err("query: it has more than 1000 pairs".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    /// Property (h) of the layer `app`, for queries: pairs are what the standard says, and errors quote nothing.
    #[test]
    fn no_error_quotes_a_query(names in proptest::collection::vec("(page|tag|number|small|list|inner|zq)(zq[0-9%]{0,3})?=?(zq|[0-9]|zq%0a)?", 0..5)) {
        let query = names.join("&");
        let sim = Sim::new();
        let server = http::create_server(|req, res| {
            let answer = match req.path() {
                "/strict" => req.query_as::<Strict>().map(|_| ()),
                "/nested" => req.query_as::<Nested>().map(|_| ()),
                "/custom" => req.query_as::<Custom>().map(|_| ()),
                "/map" => req.query_as::<BTreeMap<String, u8>>().map(|_| ()),
                _ => req.query_as::<Everything>().map(|_| ()),
            };
            answer?;
            res.end("fine");
            Ok(())
        });
        server.listen(PORT, ()).unwrap();
        for path in ["/strict", "/nested", "/custom", "/map", "/everything"] {
            let reply = sim.request("GET", &format!("{path}?{query}")).send();
            prop_assert!(!reply.text().contains("zq"), "{reply:?}");
        }
    }
}

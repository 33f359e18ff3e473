"""What mutations put into inputs, by kind of input: the words of its language, and those that trouble its readers."""

from __future__ import annotations


def _words(text: str) -> tuple[bytes, ...]:
    """Tokens between white space."""
    return tuple(word.encode() for word in text.split())


def _lines(text: str) -> tuple[bytes, ...]:
    """Tokens of a line each, with Python's escapes, so that they can hold white space and any byte."""
    return tuple(line.encode().decode("unicode_escape").encode("latin-1") for line in text.strip("\n").split("\n"))


BYTES = _lines(
    r"""
\0
\r\n
\n
\n\n
\r
\t
\x20
\xa0
\xff
\xc3\xa9
\xed\xa0\x80
\xe2\x80\x8d
\xf0\x9f\x98\x80
\xef\xbb\xbf
\xff\xfe
"""
)
URL = BYTES + _words(
    r"""
http:// https:// HTTP: // / /../ /./ /%2e%2e/ ? ?? # @ : :80 :443 :0 :65536 :8080 [::1] [::ffff:1.2.3.4] 127.1 0x7f.1
2130706433 xn-- xn--mnchen-3ya münchen.de %2F %00 %7e %zz % \ .. . ; = & javascript: mailto:a@b data: file:/// ftp://
?drop= &utm_x=1 &sid=0123456789abcdef0123456789abcdef PHPSESSID= ;jsessionid=0A (S(abc123))/ /a/b/a/b
ASPSESSIONIDabcdefgh= %64rop=1 550e8400-e29b-41d4-a716-446655440000 aB3aB3aB3aB3aB3aB3 a.example www. co.uk localhost
ﬁ ß İ 。 user:pass@
"""
)
HTML = _words(
    """
< > </ /> = ' " & ; &amp; &#0; &#x0; &#xD800; &#x110000; &#13; &nbsp; &notit; <!-- --> <!DOCTYPE <![CDATA[ ]]> <?xml
<? <html <head> <body> </body> <title> </title> <base <meta <link <a </a> <area <svg> </svg> <math> <template>
</template> <script> </script> <style> </style> <noscript> </noscript> <iframe> <noembed> <noframes> <textarea>
</textarea> <plaintext> <xmp> <select> <option> <table> <tr> <td> </table> <caption> <form> <p> </p> <div> </div> <br>
<hr> <h1> </h1> <h6> <ul> <li> <b> </b> <i> </i> <font <nobr> <button> <frameset> <frame> <pre> <image> <center>
<dialog> <foreignObject> <mi> <annotation-xml href= rel= rel=nofollow name= content= lang= http-equiv=refresh charset=
name=robots name=description rel=canonical nofollow noindex none url= 0;url= http-equiv=content-type property=og:title
"""
)
METADATA = _lines(
    r"""
<script type=application/ld+json>
</script>
{"@graph":[
{"@id":"x","name":"y"}
"author":{"@id":"x"},
"datePublished":"2024-01-01"
[[[[[[[[
]
}
"\\ud800"
123456789012345678901234567890
1e999
NaN
<!--
<time datetime="2024-01-01T10:00+01:00" pubdate class=published itemprop=datePublished>
<time datetime=
<meta property="og:image" content="
<meta property="article:published_time" content="
<meta name=author content=x>
<a rel=author>
<link rel=alternate hreflang=de href="/de">
<link rel=alternate type=application/rss+xml href=/feed>
<img src=x alt=y>
1 Jan 2024
Mon, 01 Jan 2024 10:00:00 +0100
02/13/2024
20240101T101010Z
"""
)
TYPES = _words(
    """
text/html application/xhtml+xml text/html;charset=utf-8 text/html;charset=shift_jis text/plain image/png utf-16 utf-7
iso-2022-jp gb18030 big5 euc-kr windows-1252 windows-874 x-user-defined replacement iso-8859-8-i rot13 hz-gb-2312
"""
)
HEADS = _lines(
    r"""
content-type: text/html\n
content-type: \n
content-encoding: gzip\n
content-encoding: br\n
content-encoding: zstd\n
content-encoding: deflate\n
content-encoding: gzip, gzip\n
:pack: gzip\n
:pack: br\n
:pack: zstd\n
:pack: deflate\n
:pack: gzip, gzip\n
:status: 404\n
:cut: yes\n
:truncated: length\n
:kind: sitemap\n
:url: https://b.example:8080/dir/x?y\n
:write: utf-16\n
:write: shift_jis\n
:write: iso2022_jp\n
:write: gb18030\n
x-robots-tag: noindex, nofollow\n
x-robots-tag: crawler: none\n
etag: x\n
last-modified: x\n
link: </x>; rel=canonical\n
refresh: 0;url=/x\n
"""
)
ROBOTS = _words(
    """
user-agent: User-Agent:* Disallow: Allow: disallow /* $ /$ *$ ** /a*b$ /a*b*c$ *x*y* %2F %zz # : / index.html nan inf
1e400 -1
"""
) + _lines(
    r"""
User-agent: *\n
User-agent: crawler\n
Disallow: /\n
Allow: /\n
Crawl-delay: 1\n
Crawl-delay: x\n
Sitemap: https://a.example/s.xml\n
"""
)
SITEMAP = _lines("\\x1f\\x8b\n\\xef\\xb7\\x90") + _words(
    """
<urlset> <urlset </urlset> <url> </url> <loc> </loc> <sitemapindex> <sitemap> </sitemap> <rss> <item> <link> </link>
<feed> <entry> <link href=' rel='alternate' xmlns= xmlns:image= <image:loc> <![CDATA[ ]]> <!-- --> & &amp; &lt; &#65;
&#x110000; &#0; &x; <!DOCTYPE <!ENTITY <?xml encoding='utf-16' ?> https://a.example/ " > [<!ENTITY
"""
)
CODINGS = _words("gzip deflate br zstd x-gzip identity , ; <meta charset= content=") + _lines(
    r"""
\x1f\x8b\x08\0
\x28\xb5\x2f\xfd
\x78\x9c
"""
)
ANSWER = _lines(
    r"""
HTTP/1.1 200 OK\r\n
HTTP/1.0 200\r\n
HTTP/1.1 103 Early\r\n\r\n
HTTP/1.1 204 \r\n
HTTP/2 200\r\n
Content-Length:\x20
Content-Length: 5\r\n
Transfer-Encoding: chunked\r\n
Transfer-Encoding: gzip, chunked\r\n
Connection: close\r\n
Connection: keep-alive\r\n
Trailer: x\r\n
0\r\n\r\n
5\r\nhello\r\n
ffffffffffffffff\r\n
;x=y
\r\n\r\n
:\x20
,
-1
+5
0x5
9223372036854775808
"""
)
CELLS = _words("= + - @ ' \" , ; \\ ＝ ＋ － ＠ \u2028 =1+1") + _lines(
    r"""
\x7f
\x85
\xe2\x80\x8b
\xc2\xad
\"\"
\",\"
"""
)
HEADER = _words(
    """
120 0 -1 1e9 Wed, 21 Oct 2026 07:28:00 GMT +9999 -2400 noindex nofollow none all unavailable_after: googlebot: crawler:
robots: max-snippet: charset= text/html; " ' ; , : // https://a.example/ ../ ? # 9999 99999999999 ²
"""
)
COOKIES = _words(
    """
= ; Domain= domain=a.example Path=/ path=/dir Secure HttpOnly Max-Age=0 Max-Age=99999999999999999999 max-age=-1 Expires=
Expires=Wed, 21-Oct-2026 07:28:00 GMT 99:99:99 31-Feb-69 __Host-a=b __Secure-a=b SameSite=None "a,b" a.b.co.uk .com
"""
)
SEEDS = _words("max_pages=1 delay=0.5 depth=3 max_pages= =inf =nan =-1 =1_0 # localhost:8080 日本")
SETTINGS = _words(
    r"""
[crawl] [fetch] [politeness] [parse] [[site]] url = "https://a.example/" max_pages = 1 delay_s = 0.5 scope "any"
"host" include = ["a"] exclude = ["(a)*"] {2,99999999999} ( ) * (?: (?P<a> \ [^] [ ] { } inf nan -1 1e400 true
"\u0000" 0x10 1979-05-27 ''' \""" strategy = # .
"""
)

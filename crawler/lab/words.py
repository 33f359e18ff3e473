"""The vocabulary of the lab, and the stock of sentences that its pages are made of."""

from __future__ import annotations

from crawler.lab.answers import numbers

SECTIONS = (
    "news sport travel science history music garden kitchen harbour market weather library archive museum".split()
)
# ASCII only: they make paths, and link texts that every encoding can write.
NOUNS = (
    "anchor apple autumn basket bridge candle canyon castle cellar circle clover copper cotton desert dragon ember "
    "engine falcon feather fennel ferry fiddle forest fossil garlic glacier granite hammer harvest hazel helmet "
    "horizon island ivory jacket jasmine juniper kettle ladder lantern lemon linen magnet mantle maple marble meadow "
    "mirror mosaic needle nutmeg oak oyster paddle pebble pepper pillow planet plum pocket prairie quarry rabbit "
    "raven ribbon river saddle salmon sandal shadow silver sparrow spindle summit tangle teapot temple thistle "
    "thunder timber tunnel turnip valley velvet violet walnut whistle willow window winter yarrow zephyr"
).split()
VERBS = (
    "answers borrows carries crosses counts draws follows gathers holds keeps leaves lifts measures meets mends names "
    "opens paints reaches remembers repeats sends shapes shows tells turns visits wakes watches writes"
).split()
SMALL = "a the one some this that every another the a its their our no".split()
JOINTS = "and with under over beyond near before after behind without between of for from".split()
# Every character is in windows-1252, several of them not in latin-1.
ACCENTED = (
    "café naïve façade piñata jalapeño smörgåsbord crème brûlée über Ångström doppelgänger São garçon fiancée "
    "“quoted” ‘single’ it’s €12 5–7 œuvre Žižek première voilà señor"
).split()
JAPANESE = (
    "東京 京都 大阪 図書館 新聞 電車 天気 学校 先生 学生 時間 空港 旅行 料理 音楽 映画 写真 自然 山 川 海 森 花 春 夏 "
    "秋 冬 朝 夜 昨日 今日 明日 友達 家族 仕事 会社 電話 手紙 言葉 物語 歴史 科学 研究 世界 地図 道 橋 駅 市場 茶 寺 庭"
).split()
JAPANESE_JOINTS = "は の に を と で も から まで より".split()
STOCK = 256  # So many paragraphs of each language are kept ready.


def english(seed: int) -> tuple[bytes, ...]:
    """A stock of English-looking paragraphs, UTF-8 and escaped for HTML."""
    return tuple(_paragraph(numbers(200, seed, "english", number)) for number in range(STOCK))


def japanese(seed: int) -> tuple[bytes, ...]:
    """A stock of Japanese-looking paragraphs, UTF-8; shift_jis can write every character."""
    return tuple(_japanese_paragraph(numbers(80, seed, "japanese", number)) for number in range(STOCK))


def _paragraph(draws: tuple[int, ...]) -> bytes:
    """Two to seven sentences; the last draws decide how many."""
    sentences = []
    for start in range(0, 18 * (2 + draws[-1] % 6), 18):
        sentences.append(_sentence(draws[start : start + 18]))
    return " ".join(sentences).encode()


def _sentence(draws: tuple[int, ...]) -> str:
    shape = draws[0]
    object_ = ACCENTED[draws[1] % len(ACCENTED)] if shape % 4 == 0 else NOUNS[draws[1] % len(NOUNS)]
    words = [_pick(SMALL, draws[2]).capitalize(), _pick(NOUNS, draws[3]), _pick(VERBS, draws[4])]
    words += [_pick(SMALL, draws[5]), object_]
    if shape % 3:
        words += [_pick(JOINTS, draws[6]), _pick(SMALL, draws[7]), _pick(NOUNS, draws[8])]
    if shape % 16 == 5:
        words[1] = f"<em>{words[1]}</em>"
    elif shape % 16 == 9:
        words[-1] += f" &amp; {_pick(NOUNS, draws[9])}"
    return " ".join(words) + "."


def _japanese_paragraph(draws: tuple[int, ...]) -> bytes:
    sentences = []
    for start in range(0, 12 * (2 + draws[-1] % 4), 12):
        pairs = zip(draws[start : start + 8 : 2], draws[start + 1 : start + 8 : 2], strict=True)
        sentences.append("".join(_pick(JAPANESE, noun) + _pick(JAPANESE_JOINTS, joint) for noun, joint in pairs) + "。")
    return "".join(sentences).encode()


def _pick(words: list[str], draw: int) -> str:
    return words[draw % len(words)]

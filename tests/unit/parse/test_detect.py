"""Pages that declare no encoding: their bytes tell it where they can, and pages of the west stay windows-1252."""

from __future__ import annotations

import random
from typing import Any

import pytest

from crawler.parse import detect
from crawler.parse.charset import SNIFF_BYTES, decode_text
from crawler.parse.encodings import CODECS, decode
from tests.unit.parse.test_stage import page_of, parse

# Encoding → a text of some sentences, and what stands in titles.
TEXTS = {
    "windows-1251": (
        (
            "Новости города. Вчера в центре города открылась новая библиотека, в которой собрано более пятидесяти "
            "тысяч книг. По словам директора, читатели смогут пользоваться залом бесплатно каждый день, кроме "
            "понедельника. На открытии выступил мэр."
        ),
        ["Новости города", "Главная страница", "Ошибка", "О компании"],
    ),
    "koi8-r": (
        (
            "Добро пожаловать на страницу нашего клуба. Здесь вы найдёте расписание занятий, фотографии с последних "
            "соревнований и адреса наших друзей. Пишите нам письма, мы обязательно ответим на все ваши вопросы."
        ),
        ["Новости города", "Главная страница", "Ошибка", "О компании"],
    ),
    "shift_jis": (
        (
            "ようこそ。このページでは、東京の美術館について紹介しています。開館時間は午前十時から午後六時まで"
            "で、月曜日は休みです。入場料は大人千円、子供は無料です。詳しくはお問い合わせください。"
        ),
        ["ようこそ", "お知らせ一覧", "ページが見つかりません", "会社概要"],
    ),
    "euc-jp": (
        (
            "日本語のホームページへようこそ。このサイトでは、山登りの記録と写真を公開しています。去年の夏に登"
            "った山の記録を追加しました。感想はメールでお送りください。リンクは自由です。"
        ),
        ["ようこそ", "お知らせ一覧", "ページが見つかりません", "会社概要"],
    ),
    "gbk": (
        (
            "欢迎访问我们的网站。本站提供最新的新闻、天气预报和旅游信息。北京市昨天举行了新图书馆的开馆仪式，"
            "市长出席并发表了讲话。读者可以免费借阅图书，每天开放时间为上午九点到下午五点。"
        ),
        ["欢迎光临", "公司简介", "页面不存在", "新闻中心"],
    ),
    "big5": (
        (
            "歡迎光臨我們的網站。本站提供最新的新聞、天氣預報和旅遊資訊。臺北市昨天舉行了新圖書館的開幕典禮，"
            "市長出席並發表了演說。讀者可以免費借閱圖書，每天開放時間為上午九點到下午五點。"
        ),
        ["歡迎光臨", "公司簡介", "找不到網頁", "新聞中心"],
    ),
    "euc-kr": (
        (
            "우리 홈페이지에 오신 것을 환영합니다. 이 곳에서는 최신 뉴스와 날씨, 여행 정보를 제공합니다. 어제 "
            "서울에서 새로운 도서관이 문을 열었습니다. 시민들은 누구나 무료로 책을 빌릴 수 있습니다."
        ),
        ["환영합니다", "회사 소개", "페이지를 찾을 수 없습니다", "공지사항"],
    ),
    "iso-8859-2": (
        (
            "Witamy na naszej stronie. Wczoraj w centrum miasta otwarto nową bibliotekę, w której zgromadzono "
            "ponad pięćdziesiąt tysięcy książek. Według dyrektora czytelnicy będą mogli korzystać z czytelni "
            "bezpłatnie każdego dnia oprócz poniedziałku. Część zbiorów można już wypożyczać."
        ),
        ["Wiadomości z miasta", "Strona główna", "Błąd: nie znaleziono", "Książka"],
    ),
    "windows-1250": (
        (
            "Vítejte na našich stránkách. Včera byla v centru města otevřena nová knihovna, ve které je více než "
            "padesát tisíc knih. Podle ředitele mohou čtenáři používat čítárnu zdarma každý den kromě pondělí. "
            "„Těšíme se na všechny návštěvníky,“ řekl ředitel."
        ),
        ["Úvodní stránka", "Stránka nenalezena", "Knihy a časopisy ke stažení", "Příští týden"],
    ),
    "windows-1253": (
        (
            "Καλώς ήρθατε στη σελίδα μας. Χθες άνοιξε στο κέντρο της πόλης μια νέα βιβλιοθήκη με περισσότερα από "
            "πενήντα χιλιάδες βιβλία. Σύμφωνα με τον διευθυντή, οι αναγνώστες μπορούν να χρησιμοποιούν το αναγνωστήριο "
            "δωρεάν κάθε μέρα εκτός από τη Δευτέρα. Άλλα νέα της πόλης."
        ),
        ["Αρχική σελίδα", "Νέα της πόλης", "Η σελίδα δεν βρέθηκε", "Επικοινωνία"],
    ),
    "windows-1255": (
        (
            "ברוכים הבאים לאתר שלנו. אתמול נפתחה במרכז העיר ספרייה חדשה ובה יותר מחמישים אלף ספרים. לדברי המנהל, "
            "הקוראים יוכלו להשתמש באולם הקריאה ללא תשלום בכל יום מלבד יום שני."
        ),
        ["דף הבית", "חדשות העיר", "צור קשר"],
    ),
    "windows-1256": (
        (
            "مرحبا بكم في موقعنا. افتتحت أمس في وسط المدينة مكتبة جديدة تضم أكثر من خمسين ألف كتاب. وقال المدير "
            "إن القراء يستطيعون استخدام قاعة القراءة مجانا كل يوم ما عدا يوم الاثنين."
        ),
        ["الصفحة الرئيسية", "أخبار المدينة", "الصفحة غير موجودة", "اتصل بنا"],
    ),
    "windows-874": (
        (
            "ยินดีต้อนรับสู่เว็บไซต์ของเรา เมื่อวานนี้มีการเปิดห้องสมุดแห่งใหม่ใจกลางเมือง ซึ่งมีหนังสือมากกว่าห้าหมื่น"
            "เล่ม ผู้อ่านสามารถใช้ห้องอ่านหนังสือได้ฟรีทุกวันยกเว้นวันจันทร์"
        ),
        ["หน้าแรก", "ข่าวสารวันนี้", "ไม่พบหน้านี้", "ติดต่อเรา"],
    ),
    "windows-1254": (
        (
            "Sitemize hoş geldiniz. Dün şehir merkezinde elli binden fazla kitabın bulunduğu yeni bir kütüphane "
            "açıldı. Müdürün söylediğine göre okuyucular okuma salonunu pazartesi dışında her gün ücretsiz kullanabilec"
            "ek. Başkan açılışta konuştu."
        ),
        ["Anasayfa - Haberler için tıklayın", "Sayfa bulunamadı", "İletişim bilgileri"],
    ),
    "windows-1257": (
        (
            "Sveiki atvykę į mūsų svetainę. Vakar miesto centre atidaryta nauja biblioteka, kurioje yra daugiau "
            "kaip penkiasdešimt tūkstančių knygų. Skaitytojai galės naudotis skaitykla nemokamai kiekvieną dieną, "
            "išskyrus pirmadienį."
        ),
        [],
    ),
}
WESTERN = {
    "de": (
        (
            "Herzlich willkommen auf unserer Seite. Gestern wurde in der Stadtmitte eine neue Bücherei eröffnet, "
            "in der über fünfzigtausend Bücher stehen. Nach Auskunft des Direktors können Leser den Saal täglich "
            "außer montags kostenlos nutzen. Schöne Grüße aus München."
        ),
        [
            "Über uns",
            "Größe",
            "Münchner Straße 5",
            "Schöne Grüße",
            "Öffnungszeiten: Mo–Fr",
            "Käse",
            "Straße",
            "Für Sie – täglich",
            "Zürich",
            "Ärzte in Köln",
            "Übersicht",
            "Fußball",
            "„Zitat“",
            "Weiß",
            "schön",
            "Menü",
        ],
    ),
    "fr": (
        (
            "Bienvenue sur notre site. Une nouvelle bibliothèque a été inaugurée hier au centre de la ville, où "
            "sont réunis plus de cinquante mille livres. Selon le directeur, les lecteurs pourront utiliser la "
            "salle gratuitement chaque jour sauf le lundi. Voilà où ça mène, à bientôt."
        ),
        [
            "Café",
            "Bienvenue à Genève",
            "Désolé",
            "Page non trouvée : réessayez",
            "École",
            "L’été",
            "Accueil – Société",
            "Où êtes-vous ?",
            "Français",
            "À propos",
            "Élèves",
            "Forêt",
            "Noël",
            "cœur",
            "l’été",
            "©2001 Éditions",
            "Ça va",
            "garçon",
        ],
    ),
    "es": (
        (
            "Bienvenidos a nuestra página. Ayer se inauguró en el centro de la ciudad una nueva biblioteca con "
            "más de cincuenta mil libros. Según el director, los lectores podrán usar la sala gratis todos los "
            "días salvo el lunes. ¿Qué más? Mañana habrá más información para los niños."
        ),
        [
            "España",
            "Mañana",
            "Página no encontrada",
            "¿Quién es?",
            "Año nuevo",
            "Niños",
            "Información",
            "Contáctenos",
            "Español",
            "Título",
            "¡Hola!",
            "Compañía",
            "Teléfono: 5",
            "Más noticias",
            "Baño",
            "Público",
        ],
    ),
    "pt": (
        (
            "Bem-vindo à nossa página. Ontem foi inaugurada no centro da cidade uma nova biblioteca com mais de "
            "cinquenta mil livros. Os leitores poderão usar a sala gratuitamente todos os dias, exceto às segundas. "
            "Informações e opiniões são bem-vindas."
        ),
        ["Informações", "São Paulo", "Não", "Você", "Início", "Notícias", "Avançado"],
    ),
    "it": (
        (
            "Benvenuti nel nostro sito. Ieri è stata inaugurata nel centro della città una nuova biblioteca con "
            "più di cinquantamila libri. Perché no? La novità è che sarà aperta ogni giorno, però non il lunedì."
        ),
        ["Perché", "Città", "È vero", "Più"],
    ),
    "sv": (
        (
            "Välkommen till vår sida. I går öppnades ett nytt bibliotek mitt i staden där det finns över femtio "
            "tusen böcker. Läsarna får använda salen gratis varje dag utom på måndagar. Små barn är också välkomna."
        ),
        ["Välkommen", "Göteborg", "Åre", "Små", "Sök"],
    ),
    "en": (
        (
            "Welcome to our site. Yesterday a new library was opened in the centre of town. “It’s wonderful,” "
            "said the director – and the café is open too. Copyright © 2004 Smith & Sons. All rights reserved. "
            "Prices from £5 to £10."
        ),
        [
            "© 2004 Smith",
            "It’s here",
            "Price: £5",
            "naïve",
            "Hello – welcome",
            "25°C",
            "© 2004 Café Smith",
            "Price: £5 – £10",
            "Don’t “quote” me",
            "25°C – 30°C",
            "½ cup of sugar",
            "Résumé of J. Smith",
            "It’s 5 × 4",
            "£5 © 2003",
            "Mötley Crüe",
            "§ 5, ¶ 3",
            "Señor Peña",
            "® and © marks",
            "naïve café",
            "20 € – 30 €",
            "«quoted»",
            "A·B",
            "±5 µm",
            "Acme® Corp",
            "Widget™ – buy",
            "Tom & Jerry’s",
            "10£",
            "x² + y²",
            "¾",
            "Page 5 »",
            "« Back",
            "|·|",
            "No. ª º",
            "1ª",
            "2º",
        ],
    ),
}


def page(title: str, text: str = "") -> str:
    """A page that says nothing of its encoding."""
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"


def encoded(text: str, encoding: str) -> bytes:
    """A text in an encoding, without the characters that it does not have."""
    return text.encode(CODECS.get(encoding, encoding), "ignore")


@pytest.mark.parametrize("encoding", TEXTS)
def test_a_page_in_an_encoding_that_it_does_not_declare_is_read_in_it(encoding: str) -> None:
    text, titles = TEXTS[encoding]
    for body in (page("", text), text, *map(page, titles)):
        raw = encoded(body, encoding)
        html, name, source = decode_text(raw, None)
        assert html.decode() == decode(raw, encoding), (name, body)
        is_western_too = decode(raw, encoding) == decode(raw, "windows-1252")
        assert source == ("default" if is_western_too else "detected")
    # Letters have the same bytes there, but for a few; the detector knows no KOI8-R.
    near = {"iso-8859-2": ("iso-8859-2", "windows-1250"), "koi8-r": ("koi8-u",)}
    assert decode_text(encoded(page("", text), encoding), None)[1] in near.get(encoding, (encoding,))


@pytest.mark.parametrize("language", WESTERN)
def test_a_page_of_the_west_is_windows_1252_however_short(language: str) -> None:
    text, titles = WESTERN[language]
    for body in (page("", text), text, *map(page, titles)):
        if not body.isascii():
            assert decode_text(body.encode("cp1252"), None) == (body.encode(), "windows-1252", "default")


def test_what_is_declared_is_never_doubted() -> None:
    body = encoded(page(TEXTS["koi8-r"][0]), "koi8-r")
    assert decode_text(body, "windows-1251")[1:] == ("windows-1251", "header")
    assert decode_text(b"<meta charset=iso-8859-1>" + body, None)[1:] == ("windows-1252", "meta")
    assert decode_text("<p>Привет".encode(), None)[1:] == ("utf-8", "detected")


@pytest.mark.parametrize("parser", ["lexbor", "bs4"])
def test_the_record_says_what_told_the_encoding(parser: str) -> None:
    def told(body: bytes, content_type: str = "text/html", **fields: Any) -> tuple[str | None, str | None, str | None]:
        record = parse(page_of(body, content_type, **fields), parser=parser)[1]
        return record["title"], record["charset"], record["charset_source"]

    body = encoded(page("Новости города"), "windows-1251")
    title = "Новости города"
    assert told(body) == (title, "windows-1251", "detected")
    assert told(body, "text/html; charset=cp1251") == (title, "windows-1251", "header")
    assert told(b"<meta charset=cp1251>" + body) == (title, "windows-1251", "meta")
    assert told(b"\xef\xbb\xbf" + page(title).encode()) == (title, "utf-8", "bom")
    assert told(page("plain").encode()) == ("plain", "utf-8", "default")
    assert told(b"\x00\x01", "image/png") == (None, None, None)
    assert told(body, status=404) == (None, None, None)


class _Counted:
    """A detector that counts what it is given."""

    fed = 0

    def feed(self, text: bytes, *, last: bool) -> None:
        _Counted.fed += len(text)

    def guess(self, *, tld: bytes | None, allow_utf8: bool) -> str:
        return "KOI8-R"


def test_of_an_enormous_page_only_the_beginning_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:  # scenario 43
    monkeypatch.setattr(detect, "_detector", lambda: _Counted)
    _Counted.fed = 0
    assert decode_text(b"<p>\xc1\xc2" * 1_000_000, None)[1:] == ("koi8-r", "detected")
    assert _Counted.fed <= SNIFF_BYTES


def test_a_character_cut_by_the_sample_does_not_spoil_the_detection() -> None:
    for encoding in ("shift_jis", "euc-kr", "big5"):
        text = encoded(TEXTS[encoding][0], encoding)
        for ascii_bytes in (0, 1):
            body = b"a" * ascii_bytes + text * (SNIFF_BYTES // len(text) + 2)
            assert decode_text(body, None)[1:] == (encoding, "detected")


def test_no_bytes_make_detection_raise_or_name_what_is_no_encoding_of_the_web() -> None:
    draws = random.Random(7)
    for _ in range(300):
        html, name, source = decode_text(draws.randbytes(draws.randrange(400)), None)
        html.decode()
        assert name
        assert source in ("bom", "detected", "default")


def test_without_the_detector_such_a_page_is_windows_1252(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "_detector", lambda: None)
    assert decode_text(encoded(page("Новости"), "windows-1251"), None)[1:] == ("windows-1252", "default")

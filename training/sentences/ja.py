"""Sentences of daily dictation that no reading corpus holds enough of: numbers, dates, weather, meetings, commands."""

from collections.abc import Callable, Iterator

import numpy as np

from training.sentences import distinct, pick

Rng = np.random.Generator

FAMILIES = "佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 林 斎藤 清水".split()
PLACES = (
    "東京 大阪 京都 名古屋 札幌 福岡 横浜 神戸 仙台 広島 新宿 渋谷 池袋 上野 品川 秋葉原 銀座 浅草 奈良 金沢 "
    "長野 静岡 新潟 熊本 鹿児島 那覇 松山 高松 岡山 千葉 埼玉 北海道 沖縄 箱根 鎌倉 成田空港 羽田空港"
).split()
TIMES_OF_DAY = (
    "今朝 今日の午前 今日の午後 今夜 明日の朝 明日の夕方 明後日 来週 来月 先週 昨日 週末 お昼ごろ 夜遅く".split()
)
WEEKDAYS = "月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日".split()
THINGS = (
    "資料 報告書 会議室 写真 荷物 予約 見積書 請求書 パスワード ファイル メール 電話番号 住所 鍵 財布 傘 切符 "
    "パソコン カメラ 携帯電話 充電器 地図 アンケート 議事録 画面 プログラム データ グラフ スケジュール"
).split()
FOODS = (
    "コーヒー お茶 ラーメン 寿司 うどん そば カレー パン りんご 卵 牛乳 ビール おにぎり 味噌汁 サラダ 焼き魚".split()
)
COUNTERS = "個 本 枚 人 台 冊 杯 回 階 匹 番 円 分 秒 キロ メートル パーセント 度 ページ 時間 日間 週間 か月 年".split()
DEVICES = "電気 エアコン テレビ 音楽 暖房 扇風機 カーテン 窓 洗濯機 タイマー ラジオ 録音 画面 マイク カメラ".split()
WEATHERS = "晴れ 曇り 雨 雪 大雨 晴れ時々曇り 曇りのち雨 台風 霧 強い風".split()
TOPICS = (
    "予算 新製品 採用 研修 売り上げ 安全 契約 開発の進み具合 来年の計画 お客様の要望 不具合 引っ越し 音声認識".split()
)
VERBS = "送って 確認して 準備して 印刷して 保存して 削除して 探して 持ってきて 返して 直して 見せて コピーして".split()
REQUESTS = "ください もらえますか いただけますか ほしいです おいてください もいいですか".split()
FEELINGS = "嬉しい 楽しい 悲しい 忙しい 眠い 難しい 面白い 美味しい 寒い 暑い 痛い 怖い 懐かしい 素晴らしい".split()


GREETINGS = (
    "おはようございます こんにちは こんばんは ありがとうございます すみません お疲れ様でした はい いいえ わかりました "
    "よろしくお願いします ちょっと待ってください もう一度言ってください 失礼します お願いします そうですね "
    "行ってきます ただいま おかえりなさい いただきます ごちそうさまでした 大丈夫です また明日 おやすみなさい "
    "初めまして ごめんなさい もちろんです なるほど 本当ですか マイクのテスト中です お久しぶりです"
).split()


def number(rng: Rng) -> str:
    """Small numbers are common, large ones happen."""
    return str(int(10 ** rng.uniform(0, rng.choice([1.0, 2.0, 3.0, 4.0, 6.0]))))


def digits(rng: Rng, count: int) -> str:
    return "、".join(pick("ゼロ いち に さん よん ご ろく なな はち きゅう".split(), rng) for _ in range(count))


def clock(rng: Rng) -> str:
    minute = pick(["", "半", "5分", "10分", "15分", "20分", "45分", f"{rng.integers(1, 60)}分"], rng)
    return pick(["", "午前", "午後"], rng) + f"{rng.integers(1, 13)}時" + minute


def date(rng: Rng) -> str:
    day = f"{rng.integers(1, 13)}月{rng.integers(1, 29)}日"
    return pick(["", f"{rng.integers(1950, 2040)}年", "今年の", "来年の"], rng) + day


def counted(rng: Rng) -> str:
    return f"{number(rng)}{pick(COUNTERS, rng)}です。"


def phone(rng: Rng) -> str:
    return f"{pick(['電話番号は', '番号は', '暗証番号は', ''], rng)}{digits(rng, int(rng.integers(3, 9)))}です。"


def price(rng: Rng) -> str:
    ends = ["です。", "になります。", "かかりました。", "でした。"]
    return f"{pick(THINGS + FOODS, rng)}は{number(rng)}円{pick(ends, rng)}"


def appointment(rng: Rng) -> str:
    ends = (
        "会いましょう 待ち合わせです 打ち合わせがあります 集合してください 出発します 終わる予定です 始まります".split()
    )
    day = pick([date(rng), pick(TIMES_OF_DAY, rng), pick(WEEKDAYS, rng)], rng)
    return f"{day}、{clock(rng)}に{pick(PLACES, rng)}で{pick(ends, rng)}。"


def weather(rng: Rng) -> str:
    place, sky = pick(PLACES, rng), pick(WEATHERS, rng)
    ends = ["でしょう。", "だそうです。", "になりました。", "の予報です。"]
    if rng.random() < 0.5:
        return f"{pick(TIMES_OF_DAY, rng)}の{place}の天気は{sky}{pick(ends, rng)}"
    return f"{place}の最高気温は{rng.integers(-9, 40)}度、降水確率は{rng.integers(0, 11) * 10}パーセントです。"


def meeting(rng: Rng) -> str:
    ends = [
        *("について話し合います", "について説明します", "の件でご相談があります"),
        *("について質問はありますか", "は来週に延期します", "が決まりました"),
    ]
    who = (
        f"{pick(FAMILIES, rng)}さんと" if rng.random() < 0.5 else pick(["会議では", "次に", "それでは", "最後に"], rng)
    )
    return f"{who}{pick(TOPICS, rng)}{pick(ends, rng)}。"


def command(rng: Rng) -> str:
    acts = "つけて 消して 開けて 閉めて 止めて 始めて 大きくして 小さくして セットして".split()
    return f"{pick(DEVICES, rng)}を{pick(acts, rng)}{pick(['', 'ください', 'くれる', 'もらえますか'], rng)}。"


def request(rng: Rng) -> str:
    who = pick(["", "すみません、", f"{pick(FAMILIES, rng)}さん、", "お手数ですが、"], rng)
    return f"{who}{pick(THINGS, rng)}を{pick(VERBS, rng)}{pick(REQUESTS, rng)}。"


def trip(rng: Rng) -> str:
    by = "電車 バス 車 飛行機 新幹線 自転車 地下鉄 船 タクシー".split()
    ends = "行きました 行く予定です 帰ります 着きました 向かっています 通っています 引っ越しました".split()
    return f"{pick(PLACES, rng)}から{pick(PLACES, rng)}まで{pick(by, rng)}で{pick(ends, rng)}。"


def meal(rng: Rng) -> str:
    ends = "食べたいです 注文しました 買ってきました 用意しました いただきます ください 半分残しました".split()
    return f"{pick(['', '朝ごはんに', '昼に', '晩ごはんに', 'みんなで'], rng)}{pick(FOODS, rng)}を{pick(ends, rng)}。"


def feeling(rng: Rng) -> str:
    whens = ["今日は", "最近は", "昨日の映画は", "この本は", "あの店は", "仕事が", "冬の朝は"]
    how = pick(["とても", "少し", "本当に", "思ったより", "あまりにも"], rng)
    return (
        f"{pick(whens, rng)}{how}{pick(FEELINGS, rng)}{pick(['です', 'ですね', 'と思います', 'かもしれません'], rng)}。"
    )


def introduction(rng: Rng) -> str:
    jobs = "エンジニア 医者 学生 教師 会社員 看護師 料理人 記者 研究者 公務員 店員 運転手".split()
    who = f"{pick(PLACES, rng)}に住んでいる{pick(FAMILIES, rng)}です。"
    return f"{who}{pick(jobs, rng)}として{number(rng)}年働いています。"


def question(rng: Rng) -> str:
    asks = "どこにありますか いつ届きますか いくらですか 何時に閉まりますか 使えますか どうでしたか".split()
    return f"{pick(THINGS + PLACES + FOODS, rng)}は{pick(asks, rng)}。"


def greeting(rng: Rng) -> str:
    return pick(GREETINGS, rng) + "。"


MAKERS: tuple[Callable[[Rng], str], ...] = (
    counted, phone, price, appointment, appointment, weather, weather, meeting, meeting, command, request, request,
    trip, meal, feeling, introduction, question, greeting,
)  # fmt: skip


def sentences(count: int, rng: Rng) -> Iterator[str]:
    return distinct(MAKERS, count, rng)


MORAE = (
    "ア イ ウ エ オ カ キ ク ケ コ サ シ ス セ ソ タ チ ツ テ ト ナ ニ ヌ ネ ノ マ ミ ム メ モ ヤ ユ ヨ ラ リ ル "
    "レ ロ ワ ガ ギ グ ゲ ゴ ザ ジ ズ ゼ ゾ ダ デ ド バ ビ ブ ベ ボ パ ピ プ ペ ポ ハ ヒ フ ヘ ホ キャ キュ キョ "
    "シャ シュ ショ チャ チュ チョ ニャ ニュ ニョ ヒャ ヒュ ヒョ ミャ ミュ ミョ リャ リュ リョ ギャ ギュ ギョ "
    "ジャ ジュ ジョ ビャ ビュ ビョ ピャ ピュ ピョ ファ フィ フェ フォ フュ ティ トゥ テュ ディ ドゥ デュ ウィ "
    "ウェ ウォ ヴァ ヴィ ヴ ヴェ ヴォ シェ ジェ チェ ツァ ツィ ツェ ツォ クァ クィ クェ クォ グァ イェ"
).split()
FRAMES = "{}さん {}です {}へ行きます {}から来ました {}が欲しい {}と{} {}の{}を食べました {}で{}に会った".split()


def name(rng: Rng) -> str:
    """Of no language: every mora is as likely, so that no context gives away what is said."""
    said = [pick(MORAE, rng) + pick(["", "", "", "", "ー", "ン", "ッ"], rng) for _ in range(int(rng.integers(2, 6)))]
    return "".join(said).rstrip("ッ")


def codes(count: int, rng: Rng) -> Iterator[str]:
    """Names alone, and in the midst of words."""
    for _ in range(count):
        frame = pick([*["{}"] * len(FRAMES), *FRAMES], rng)
        yield frame.format(name(rng), name(rng)) + "。"

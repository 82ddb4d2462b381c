#!/usr/bin/env python3
"""Writes the three texts that the tokenizer's benchmark reads: make_texts.py FOLDER [BYTES]. The seed is fixed: same bytes each time.

english.txt     prose: Zipf-distributed words of an English kind, the commonest of them English
languages.txt   sentences in 67 languages; words change places, and some are spliced from two, so that they do not just repeat
code.txt        snippets in 14 programming languages; names and numbers change
"""
import pathlib
import random
import sys

SEED = 20
COMMON = """the of and to a in is it you that he was for on are with as his they be at one have this from or had by hot but some what there we can out
other were all your when up use word how said an each she which do their time if will way about many then them would write like so these her long make
thing see him two has look more day could go come did my sound no most number who over know water than call first people may down side been now find any
new work part take get place made live where after back little only round man year came show every good me give our under name very through just form much
great think say help low line before turn cause same mean differ move right boy old too does tell sentence set three want air well also play small end put
home read hand port large spell add even land here must big high such follow act why ask men change went light kind off need house picture try us again
don't it's I'm you're we've they'll isn't can't he'd let's""".split()
STARTS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p pl pr qu r s sc sh sl sm sn sp st str t th tr tw v w wh".split()
MIDDLES = "a e i o u ai ea ee ie io oa oo ou ar er ir or ur al el il an en in on un".split()
ENDS = "b ck d ff g ght l ll m mp n nd ng nt p r rd rk rn rt s sh sk ss st t tch th x y ly ment ness tion ing ed er est ous able".split()
SENTENCES = """\
The ferry leaves at seven, so bring a coat and don't forget the tickets.
Der Gärtner überquerte müde die Straße und grüßte die Nachbarn.
Le garçon a mangé des crêpes près de l'île, où l'été semblait déjà fini.
El pingüino añadió azúcar al café; ¿quién lo habría imaginado?
O avô não pôde vir à reunião, mas mandou três pães e um coração de papel.
La città era così silenziosa che si udiva perché il fiume parlava.
De reünie begon om vijf uur; één fiets bleef buiten in de regen staan.
Räven smög över ån när kvällen föll på och lyktorna tändes.
Blåbærsyltetøy er godt på nystekte vafler, særlig om høsten.
Hunden løb gennem åen, før regnen nåede at gøre stien våd.
Yöllä järven jäällä käveli äijä, joka etsi hävinnyttä lyhtyään.
Öösel sõitis jäär üle mäe ja küsis kõigilt, kus on õu.
Ķirši ziedēja agri, un bērni spēlējās pie žoga līdz tumsai.
Ąžuolas šlamėjo, kol žmonės grįžo iš šventės su gėlėmis.
Zażółć gęślą jaźń, powiedziała ciotka i zamknęła okno.
Příliš žluťoučký kůň se napil vody u řeky a šel dál.
Vtáčik spieval na plote, kým dážď nezmyl všetky čerstvé stopy.
Árvíztűrő tükörfúrógép zúgott a műhelyben egész délután.
Căpșunile și țuica au fost împărțite înainte de ploaie.
Čičak se uhvatio za džemper dok je đak trčao niz šumu.
Съешь ещё этих мягких булок, пока чай не остыл.
Їжак приніс ґудзик до хати, а бабуся пришила його нитками.
У нядзелю ўсе пайшлі ў лес па грыбы, але знайшлі толькі ягады.
Щъркелът кацна върху къщата, преди снегът да се стопи.
Љубав је ђачка свеска у којој нико не брише грешке.
Το καΐκι έφυγε νωρίς· οι ψαράδες γελούσαν κάτω από τον ήλιο.
Şemsiyesiz çıkan İlkay, ıslanmış ayakkabılarını sobanın yanına koydu.
Ə, qonşu, çörəyi gətir, süfrə açıqdır və çay da hazırdır.
Көктемде дала гүлденіп, балалар ұшқыш құстарды санады.
Գարնանը ծառերը ծաղկեցին, և երեխաները վազեցին դեպի գետը։
მთვარე ამოვიდა და მდინარე ვერცხლივით აბრწყინდა.
הילדה כתבה מכתב לסבתא, ושלחה אותו ביום ראשון בבוקר.
القِطَّةُ نامت فوق الكتاب، ولم يجرؤ أحدٌ على إيقاظها.
کتاب‌ها را روی میز گذاشتم و به باغ رفتم؛ باران می‌بارید.
آج بازار میں آم سستے تھے، اس لیے ہم نے دو کلو خریدے۔
बारिश के बाद गली में बच्चों ने काग़ज़ की नावें चलाईं।
पाऊस थांबला आणि अंगणात चिमण्या परत आल्या.
বৃষ্টি থামলে মাঠে ছেলেরা ফুটবল খেলতে নামল।
ਸਵੇਰੇ ਚਾਹ ਪੀ ਕੇ ਉਹ ਖੇਤਾਂ ਵੱਲ ਤੁਰ ਪਿਆ।
સાંજે દરિયાકિનારે પવન ઠંડો હતો અને હોડીઓ પાછી આવી.
மழை நின்றதும் குழந்தைகள் தெருவில் ஓடினார்கள்.
వాన తగ్గాక పిల్లలు వీధిలో పడవలు వదిలారు.
ಮಳೆ ನಿಂತ ಮೇಲೆ ಅಜ್ಜಿ ಕಥೆ ಹೇಳಲು ಶುರು ಮಾಡಿದಳು.
മഴ തോർന്നപ്പോൾ കുട്ടികൾ മുറ്റത്തേക്ക് ഓടി.
වැස්ස නැවතුණු පසු ළමයි මිදුලට දිව්වා.
ฝนหยุดแล้วเด็กๆก็วิ่งออกไปเล่นน้ำที่หน้าบ้าน
ຝົນເຊົາແລ້ວ ເດັກນ້ອຍອອກໄປຫຼິ້ນ
မိုးတိတ်သွားတော့ ကလေးတွေ လမ်းပေါ်ထွက်ကစားကြတယ်။
ភ្លៀងឈប់ហើយ ក្មេងៗរត់ទៅលេងក្រៅផ្ទះ។
ཆར་པ་ཆད་རྗེས་བྱིས་པ་ཚོ་ཕྱི་ལ་རྩེད་མོ་རྩེ་རུ་སོང་།
ዝናቡ ሲያቆም ልጆቹ ወደ ውጭ ሮጡ።
Mvua ilipokwisha, watoto walikimbia nje kucheza mpira.
Nígbà tí òjò dá, àwọn ọmọdé sáré jáde láti ṣeré.
Trời vừa tạnh mưa, lũ trẻ chạy ùa ra ngõ đá bóng.
Setelah hujan reda, anak-anak berlari ke halaman belakang.
Pagkatapos ng ulan, naglaro ang mga bata sa labas.
雨停了，孩子们跑到院子里放纸船，一共放了十二只。
雨停之後，阿嬤在門口曬龍眼，貓在旁邊打瞌睡。
雨がやんだので、こどもたちはグラウンドでサッカーを始めた。
ｶﾀｶﾅの半角と、全角ＡＢＣ１２３が混ざった文。
비가 그치자 아이들은 골목으로 뛰어나가 종이배를 띄웠다.
Бороо зогсоход хүүхдүүд гадаа гарч тоглов.
Bhí an ghaoth fuar, ach shiúil sí síos go dtí an trá.
Rhedodd y plant allan pan beidiodd y glaw â disgyn.
Haurrak kalera atera ziren euria gelditu zenean.
Þegar stytti upp hlupu börnin út á tún að æfa sig.
Kiedy 3 koty śpią, 14 myszy tańczy; to 100% prawdy (prawie).
""".splitlines()
SNIPPETS = [
    'def fib(n: int) -> int:\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n',
    '#include <stdio.h>\n\nint main(void)\n{\n\tfor (int i = 0; i < 10; ++i)\n\t\tprintf("%d\\n", i * i);\n\treturn 0;\n}\n',
    '__kernel void scale(__global float *x, const float k) {\n  size_t i = get_global_id(0);\n  x[i] *= k;  // in place\n}\n',
    'fn main() {\n    let xs: Vec<u32> = (1..=5).map(|x| x * x).collect();\n    println!("{xs:?}");\n}\n',
    'const f = async (url) => {\n  const r = await fetch(`${url}?q=1&n=2`);\n  return r?.ok ?? false;\n};\n',
    "SELECT name, COUNT(*) AS n\nFROM visits\nWHERE day >= '2031-01-01'\nGROUP BY name\nHAVING n > 3;\n",
    'package main\n\nimport "fmt"\n\nfunc main() {\n\tch := make(chan int, 1)\n\tch <- 42\n\tfmt.Println(<-ch)\n}\n',
    '#!/bin/sh\nset -eu\nfor f in *.txt; do\n  [ -e "$f" ] || continue\n  wc -l < "$f" | tr -d \' \'\ndone\n',
    'main :: IO ()\nmain = mapM_ print $ filter even [x ^ 2 | x <- [1 .. 9]]\n',
    'public final class A<T extends Comparable<T>> {\n    private final T[] a; // unchecked\n    A(T[] a) { this.a = a; }\n}\n',
    '<!DOCTYPE html>\n<p class="x">a &amp; b<br/>\n<!-- c --></p>\n<style>p{margin:0 auto;color:#f0a}</style>\n',
    "(defun sq (x) (* x x)) ; square\n(mapcar #'sq '(1 2 3))\n",
    'mov   rax, [rbx+8*rcx-0x10]\n\tjne   .L2\n\tret\n',
    'if (a!==b&&c<<=2||!d){x+=y--;}//@ts-ignore\n/* ** */\n',
]
NAMES = "i j k n x xs buf count index value total name key item node list table result status length offset source target path line config token".split()


def zipf_word(r, words):
    return words[min(int(len(words) ** r.random()) - 1, len(words) - 1)] if r.random() < 0.9 else r.choice(words)


def english(r, size):
    made = {"".join(r.choice(STARTS) + r.choice(MIDDLES) for _ in range(r.randrange(1, 4))) + r.choice(ENDS) for _ in range(20000)}
    words = COMMON + sorted(made)
    r.shuffle(words)
    words.sort(key=lambda w: w not in COMMON)
    out, length = [], 0
    while length < size:
        sentence = " ".join(zipf_word(r, words) + ("," if r.random() < 0.07 else "") for _ in range(r.randrange(4, 24)))
        if r.random() < 0.1:
            sentence += f" {r.randrange(10 ** r.randrange(1, 6))}"
        out.append(sentence[0].upper() + sentence[1:] + r.choice([". "] * 8 + ["? ", "! ", ".\n", '."\n\n']))
        length += len(out[-1])
    return "".join(out)


def languages(r, size):
    out, length = [], 0
    while length < size:
        sentence = r.choice(SENTENCES)
        words = sentence.split(" ") if " " in sentence else [sentence[i:i + 4] for i in range(0, len(sentence), 4)]
        for _ in range(len(words) // 3):
            i, j = r.randrange(len(words)), r.randrange(len(words))
            words[i], words[j] = words[j], words[i]
            if r.random() < 0.5:
                words[i] = words[i][:(len(words[i]) + 1) // 2] + words[j][len(words[j]) // 2:]
        out.append((" " if " " in sentence else "").join(words) + r.choice([" ", " ", "\n"]))
        length += len(out[-1].encode())
    return "".join(out)


def code(r, size):
    out, length = [], 0
    while length < size:
        snippet = r.choice(SNIPPETS)
        for _ in range(3):
            snippet = snippet.replace(f" {r.choice('abcdfikmnrxyz')} ", f" {r.choice(NAMES)}_{r.choice(NAMES)}{r.randrange(100)} ")
            snippet = snippet.replace(str(r.randrange(10)), str(r.randrange(10 ** r.randrange(1, 5))))
        indent = " " * r.choice([0, 0, 4, 8])
        out.append("".join(indent + line for line in snippet.splitlines(keepends=True)) + r.choice(["", "\n", f"// {r.choice(NAMES)} {r.choice(NAMES)}\n"]))
        length += len(out[-1].encode())
    return "".join(out)


def main():
    folder, size = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2_000_000
    folder.mkdir(parents=True, exist_ok=True)
    for make in (english, languages, code):
        path = folder / f"{make.__name__}.txt"
        path.write_bytes(make(random.Random(SEED), size).encode())
        print(path)


if __name__ == "__main__":
    main()

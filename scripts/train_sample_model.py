#!/usr/bin/env python3
"""Trains the sample model samples/models/stories: a GPT-2 of 2.1 million parameters that tells short stories.

    python scripts/train_sample_model.py                    # 8 to 25 minutes on 2 cores; needs torch, transformers, tokenizers
    python scripts/train_sample_model.py --print-stories 5  # only shows what the model is trained on; needs nothing

First half: a grammar that writes the stories. A plot is a function that casts its characters and says one sentence after
another; a sentence is one of several templates, in which [a|b] is a choice and {hero.his} a word that depends on the cast.
Second half: a byte-level BPE tokenizer and a GPT-2, trained on these stories, stored in float16, loaded back and checked.
Nothing is downloaded, and one seed gives one model on one machine: the weights are ours, under the licence of this repository.
"""
import argparse
import itertools
import json
import math
import random
import re
import time
from pathlib import Path

# ---------------------------------------------------------------------------------------------------------------- the words

# Few of them: where someone new is named, each is then likelier than the hero's own, which a small model never quite rules out.
GIRLS = "Anna Bella Clara Ella Hana Ivy Lily Lucy Mara Mia Nora Ruby Tara Zoe".split()
BOYS = "Adam Ben Carl Eli Felix Hugo Jack Leo Max Noah Omar Sam Theo Tom".split()

BEGINNINGS = "Al Bar Bel Dor Fal Gal Kor Lum Mel Nor Or Par Rol Sal Sel Tol Val Wil Zan Zel".split()
MIDDLES = "a e i o u ari eli ibo ona umi".split()

# kind: home, favorite food, how it gets about
ANIMALS = {
    "fox":      ("a warm den under an old oak tree", "sweet berries", "trotted"),
    "mouse":    ("a tiny hole in the wall of the mill", "yellow cheese", "scurried"),
    "rabbit":   ("a cozy burrow at the edge of the meadow", "crunchy carrots", "hopped"),
    "bear":     ("a quiet cave in the hills", "golden honey", "marched"),
    "owl":      ("a hollow tree in the middle of the forest", "blackberry pie", "flew"),
    "hedgehog": ("a nest of dry leaves under the hedge", "red apples", "hurried"),
    "squirrel": ("a hole high up in a pine tree", "brown nuts", "ran"),
    "duck":     ("a nest among the reeds", "fresh bread", "waddled"),
    "frog":     ("a green pond full of lilies", "mushroom soup", "hopped"),
    "turtle":   ("a hole in the sandy bank of the lake", "green salad", "walked"),
    "cat":      ("a small house at the end of the lane", "warm milk", "crept"),
    "dog":      ("a kennel behind the farm", "pancakes", "ran"),
    "pony":     ("a stable behind the farm", "sweet oats", "galloped"),
    "goat":     ("a stone hut on the mountain", "fresh clover", "climbed"),
    "sparrow":  ("a nest under the roof of the school", "bread crumbs", "flew"),
    "beaver":   ("a house of sticks in the river", "vegetable stew", "hurried"),
    "otter":    ("a den on the bank of the river", "grilled fish", "ran"),
    "mole":     ("a long tunnel under the garden", "roasted potatoes", "hurried"),
    "badger":   ("a deep burrow under the hill", "fried mushrooms", "marched"),
    "deer":     ("a sunny clearing in the woods", "green leaves", "ran"),
    "puppy":    ("a basket in the kitchen of the inn", "warm porridge", "ran"),
    "dragon":   ("a cave behind the waterfall", "hot soup", "flew"),
}
PEOPLE = ("girl girl girl girl boy boy boy boy princess prince farmer baker shepherd gardener tailor fisherman painter "
          "woodcutter").split()
YOUNG = ("girl", "boy", "princess", "prince", "puppy")
COTTAGES = ("a little house near the woods", "a white cottage by the sea", "a small village in the mountains",
            "a tall house in the middle of the town", "a stone house beside the river", "a wooden house at the edge of the village")
DISHES = "apple pie,strawberry jam,warm bread,vegetable soup,chocolate cake,pancakes,cherry cake,plum cake,honey cake".split(",")

TRAITS = ("little little little young small brave kind clever curious cheerful gentle friendly playful honest happy quiet "
          "merry lively").split()
WISE = "wise old,old,friendly,kind,clever,gentle,gray old,cheerful,big,patient".split(",")
LANDS = ("a quiet forest", "a green valley", "a small village", "a faraway land", "a sunny meadow", "a little town",
         "a land beyond the mountains", "a village by the sea", "an old forest", "a small kingdom")
COLORS = "red blue green yellow white purple orange silver golden pink".split()
THINGS = "ball kite hat scarf ribbon blanket button bucket bell boat drum whistle lantern umbrella ring cup basket flute".split()
SPOTS = ("under the bridge", "behind the big rock", "in the tall grass", "beside the well", "under a thorny bush", "behind the barn",
         "inside a hollow log", "at the top of the hill", "near the old mill", "by the river", "in the garden", "among the flowers",
         "under a pile of leaves", "behind the fence", "on the bank of the stream", "under the apple tree")
WEATHER = {  # weather: what it does
    "sunny":  "The sun was shining and the birds were singing.",
    "windy":  "The wind was [shaking the trees|chasing the leaves|blowing over the hills].",
    "rainy":  "The rain was tapping on the [roof|leaves|window].",
    "snowy":  "[Soft|White|Thick] snow covered the [fields|hills|roofs].",
    "foggy":  "The fog was so thick that nobody could see far.",
    "warm":   "The air smelled of [flowers|fresh grass|ripe apples].",
    "cold":   "There was ice on the [pond|windows|river].",
    "bright": "There was not a single cloud in the sky.",
}


class Being:
    """A character: a name, a kind, and the pronouns, home, food and gait that go with them."""

    def __init__(self, rng, kind, adjectives, taken):
        self.kind = kind
        female = {"girl": True, "princess": True, "boy": False, "prince": False, "fisherman": False}.get(kind, rng.random() < 0.5)
        self.name = rng.choice([n for n in (GIRLS if female else BOYS) if n not in taken])
        if rng.random() < 0.06:         # names of our own: what was never seen before must be repeated too
            self.name = "".join(map(rng.choice, (BEGINNINGS, MIDDLES, ("na", "la", "ra", "sa") if female else ("no", "do", "ro", "mir"))))
        self.he, self.him, self.his = ("she", "her", "her") if female else ("he", "him", "his")
        self.home, self.food, self.went = ANIMALS.get(kind) or (rng.choice(COTTAGES), rng.choice(DISHES), "walked")
        if kind in ("prince", "princess"):
            self.home = "a castle on the hill"
        self.adjective = rng.choice([a for a in adjectives if "old" not in a or kind not in YOUNG] or ["clever"])
        self.a = f"a {self.adjective} {kind}"
        self.the = f"the {kind}"

    def __str__(self):
        return self.name


class Thing:
    def __init__(self, rng):
        self.it = rng.choice(THINGS)
        self.name = f"{rng.choice(COLORS)} {self.it}"
        self.a = f"a {self.name}"

    def __str__(self):
        return self.name


# -------------------------------------------------------------------------------------------------------------- the teller

class Teller:
    """Writes one story: keeps the cast, fills templates, corrects articles and capitals."""

    def __init__(self, rng):
        self.rng = rng
        self.cast = {}
        self.paragraphs = [[]]
        self.hero = self.being("hero", TRAITS, people=0.45)
        self.day_begun = False          # "One day" is said once

    def being(self, role, adjectives=WISE, people=0.0, kinds=None):
        taken_names = {str(b) for b in self.cast.values()}
        taken_kinds = {getattr(b, "kind", None) for b in self.cast.values()}
        if kinds is None:
            kinds = PEOPLE if self.rng.random() < people else [k for k in ANIMALS if k not in taken_kinds]
        self.cast[role] = Being(self.rng, self.rng.choice(kinds), adjectives, taken_names)
        return self.cast[role]

    def thing(self, role="thing"):
        self.cast[role] = Thing(self.rng)

    def words(self, **words):
        self.cast.update({role: self.choose(text) for role, text in words.items()})

    def spots(self, count):
        for i, spot in enumerate(self.rng.sample(SPOTS, count)):
            self.cast[f"spot{i + 1}"] = spot

    def choose(self, text):
        """Expands [a|b|c], innermost first."""
        while "[" in text:
            text = re.sub(r"\[([^\[\]]*)\]", lambda m: self.rng.choice(m[1].split("|")), text)
        return text

    def say(self, *templates):
        text = self.choose(self.rng.choice(templates))
        if "{when}" in text:
            text = text.replace("{when}", self.when())
        text = self.choose(text.format(**self.cast))
        text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU]|honest)", r"\1n ", text)
        text = re.sub(r"(^\"?|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)
        self.paragraphs[-1].append(text)

    def maybe(self, chance, *templates):
        if self.rng.random() < chance:
            self.say(*templates)

    def when(self):
        """The day of the plot: said once, later only "soon"."""
        if self.day_begun:
            return self.choose("[Soon|After a while|A little later|Then, all of a sudden|Before long]")
        self.day_begun = True
        return self.choose(f"One [{'|'.join(WEATHER)}] [morning|morning|afternoon|day|evening]"
                           if self.rng.random() < 0.7 else "One [day|day|morning|evening|afternoon]")

    def paragraph(self):
        self.paragraphs.append([])

    def text(self):
        return "\n\n".join(" ".join(p) for p in self.paragraphs if p)


def opening(t):
    """Introduces the hero: Once upon a time, One day, There was a, ..."""
    way = t.rng.choices(("once", "one day", "there was", "land", "name", "weather", "every", "the"), (40, 13, 13, 10, 8, 7, 5, 4))[0]
    t.words(land=t.rng.choice(LANDS), weather=t.rng.choice(list(WEATHER)))
    lived = False
    if way == "once":
        kind = t.rng.randrange(4)
        lived = kind in (1, 2)
        t.say(("Once upon a time[,|] there was {hero.a} named {hero}.",
               "Once upon a time[,|] there was {hero.a} named {hero} who lived in {hero.home}.",
               "Once upon a time, {hero.a} named {hero} lived in {hero.home}.",
               "Once upon a time, in {land}, there lived {hero.a} named {hero}.")[kind])
    elif way == "one day":
        t.day_begun = True
        t.say("One day, {hero.a} named {hero} [went for a walk|went out to play|woke up very early|was on the way to the market|was "
              "sitting under a tree|was resting in the sun|was looking out of the window].")
        return
    elif way == "there was":
        lived = t.rng.random() < 0.5
        t.say("There was [once |]{hero.a} named {hero} who lived in {hero.home}." if lived else
              "There was [once |]{hero.a} named {hero} who [loved {hero.food}|liked to sing|was never bored|had many friends|was "
              "always full of ideas|wanted to see the world].")
    elif way == "land":
        t.say("[Long ago|A long time ago|Many years ago], {hero.a} named {hero} lived in {land}.",
              "In {land}, there [once |]lived {hero.a} named {hero}.",
              "[Far, far away|Long, long ago], in {land}, there was {hero.a} named {hero}.",
              "Deep in the [forest|woods], there lived {hero.a} named {hero}.",
              "High up in the mountains, there lived {hero.a} named {hero}.")
    elif way == "name":
        lived = True
        t.say("{hero} was {hero.a} who lived in {hero.home}.", "{hero} the {hero.kind} lived in {hero.home}.")
    elif way == "weather":
        t.day_begun = True
        t.say("It was a {weather} [morning|day|afternoon], and {hero.a} named {hero} [was looking out of the window|went out to play|was "
              "taking a walk|was sitting outside]. " + WEATHER[t.cast["weather"]])
        return
    elif way == "every":
        t.say("Every [morning|evening|day], {hero.a} named {hero} [walked along the river|sat under the old oak tree|sang a song|looked at "
              "the hills and dreamed|picked flowers in the meadow|watched the boats on the river].")
    else:
        t.say("The {hero.adjective} {hero.kind} was called {hero}.")
    if not lived:
        t.maybe(0.5, "{hero.he} lived in {hero.home}.", "{hero.his} home was {hero.home}.")
    t.maybe(0.6,
            "{hero.he} [loved to eat|liked to eat|was very fond of] {hero.food}.",
            "{hero.his} favorite food was {hero.food}.",
            "{hero.he} [was always ready to help|had a good heart|had a kind word for everyone].",
            "{hero.he} [liked to ask questions|wanted to know everything|was always asking why].",
            "Everyone [liked|loved|knew] {hero}.",
            "{hero.he} [was small, but {hero.he} was not afraid|had big dreams|had bright eyes and a warm smile].",
            "{hero.he} [got up with the sun|worked hard every day|sang from morning to night].",
            "In the evening, {hero.he} liked to look at the [stars|moon].")


def ending(t, *morals):
    """A last line: what was learned, or how the day ended."""
    calm = ("That night, {hero} fell asleep with a smile.",
            "And {hero} never forgot that day.",
            "When the stars came out, {hero} went home with a happy heart.",
            "It was the best day of {hero.his} life.")
    roll = t.rng.random()
    if roll < 0.8:
        t.say(*morals)
    if roll > 0.5:
        t.say(*calm)


FRIENDS_FOREVER = ("From that day on, {hero} and {other} were [best friends|good friends|the best of friends].",
                   "{hero} and {other} [became|stayed] friends [forever|for the rest of their lives].",
                   "After that, {hero} and {other} met every day.")
THANKS = ("\"Thank you[| so much| with all my heart]!\" [said|cried|called] {hero}.",
          "{hero} [thanked {other}|thanked {other} again and again|hugged {other}|smiled and thanked {other}].",
          "\"How can I ever thank you?\" asked {hero}. \"[A smile is enough|Just be my friend|It was nothing]!\" said {other}.")
MEETING = ("[Just then|At that moment|On the way], {hero.he} met {other.a} named {other}.",
           "{other.a} named {other} [came along the path|was passing by|came by].",
           "[Behind a tree|Near the path|Beside the road], {hero} saw {other.a} named {other}.")

# --------------------------------------------------------------------------------------------------------------- the plots


def lost_thing(t):
    t.thing()
    t.spots(3)
    t.being("other", people=0.2)
    t.say("{hero.he} had {thing.a} and [took it everywhere|played with it every day|loved it very much].",
          "{hero.his} [grandmother|grandfather] had given {hero.him} {thing.a}, and it was {hero.his} greatest treasure.",
          "More than anything, {hero} loved {hero.his} {thing}.")
    t.paragraph()
    t.say("{when}, the {thing.it} was gone.",
          "{when}, {hero} looked for the {thing.it}, but it was not there.",
          "{when}, {hero} saw that the {thing.it} was missing.")
    t.say("{hero.he} looked {spot1} and {spot2}, but {hero.he} could not find it.",
          "{hero} searched {spot1}. {hero.he} searched {spot2}. There was no {thing.it} to be seen.",
          "{hero.he} {hero.went} up and down and looked {spot1}, but there was nothing.")
    t.maybe(0.4, "{hero.he} began to cry.", "{hero} sat down on a stone and sighed.", "A big tear rolled down {hero.his} cheek.")
    t.say(*MEETING)
    t.say("\"[Why are you so sad|What is the matter|Why are you crying]?\" asked {other}.")
    t.say("\"I have lost my {thing},\" [said|answered|sighed] {hero}.")
    t.say("\"Do not worry,\" said {other}. \"[We will look for it together|I will help you|Four eyes see more than two].\"",
          "\"Then let us look for it together,\" said {other}.")
    t.say("They searched for a long time, and at last they found the {thing.it} {spot3}.",
          "Together they looked {spot3}, and there it was!",
          "{other} looked {spot3} and gave a shout. There was the {thing}!",
          "{other} had seen something [bright|shining|strange] {spot3}, and it was the {thing.it}!")
    t.paragraph()
    t.say(*THANKS)
    ending(t, *FRIENDS_FOREVER, "{hero} learned that a good friend is worth more than [any treasure|any {thing.it}].",
           "After that, {hero} always took good care of the {thing.it}.")


SKILLS = {  # to learn: how it goes wrong, what the teacher says, how it goes well
    "swim":        ("sank like a stone", "Move your legs like a frog", "swam across the whole pond"),
    "sing":        ("sounded like a rusty door", "Listen first, and then sing softly", "sang so well that the birds fell silent"),
    "dance":       ("fell over {hero.his} own feet", "Count to three and feel the music", "danced until the stars came out"),
    "skate":       ("fell down on the ice", "Bend your knees and look ahead", "flew over the ice like the wind"),
    "read":        ("mixed up all the letters", "Read one word at a time", "read a whole book to {hero.his} friends"),
    "bake a cake": ("burned the cake", "Wait until it smells sweet", "baked the best cake in the village"),
    "play the flute": ("made a terrible noise", "Take a deep breath and blow gently", "played a song that made everyone smile"),
    "paint":       ("spilled the paint", "First look, and then paint what you see", "painted a picture of the whole valley"),
    "fly a kite":  ("got the kite stuck in a tree", "Wait for the wind and hold on tight", "made the kite dance among the clouds"),
    "tell stories": ("forgot how the story ended", "Tell it as if it happened to you", "told a story that nobody ever forgot"),
}


def learn_skill(t):
    skill = t.rng.choice(list(SKILLS))
    wrong, advice, well = (part.format(**t.cast) for part in SKILLS[skill])
    t.words(skill=skill, wrong=wrong, advice=advice, well=well)
    t.being("other", people=0.3)
    t.say("{hero.he} had one big wish: {hero.he} wanted to learn to {skill}.", "More than anything, {hero} wanted to {skill}.",
          "{hero} dreamed of one thing only. {hero.he} wanted to {skill}.")
    t.paragraph()
    t.say("{when}, {hero} tried to {skill}, but {hero.he} {wrong}.",
          "{when}, {hero} tried it for the first time. {hero.he} {wrong}.")
    t.say("[Some of the others|Two crows|The geese] laughed, and {hero} [turned red|felt sad|wanted to hide].",
          "\"I will never learn it,\" [sighed|said] {hero}.", "{hero.he} tried again, but {hero.he} {wrong} once more.")
    t.say(*MEETING)
    t.say("\"[Do not give up|Nobody can do it at once|I can show you how]!\" said {other}. \"{advice}.\"",
          "\"I had to learn it too,\" said {other}. \"{advice}.\"")
    t.say("{hero} practiced [every day|day after day|every morning|from morning to night].",
          "[All week|All summer|For many days], {hero} practiced with {other}.")
    t.say("[At last|One evening|In the end], {hero} {well}.")
    t.paragraph()
    t.say("\"[I knew you could do it|You see|Well done]!\" said {other}.", "{other} [clapped|laughed with joy|was very proud].",
          "{hero} was [very|so] proud and happy.")
    ending(t, "{hero} learned that you must [try again and again|never give up|be patient when you learn].",
           "And now {hero} helps others who want to {skill}.", *FRIENDS_FOREVER)


GAMES = ("played hide and seek", "built a castle of sand", "flew a kite", "climbed trees", "collected shells", "picked berries",
         "told each other stories", "sailed paper boats", "danced in the rain", "made a crown of flowers", "rolled down the hill")


def new_friend(t):
    t.being("other", TRAITS, people=0.0)
    one, two = t.rng.sample(GAMES, 2)
    t.words(game=one, game2=two)
    t.say("But {hero} [was lonely|had nobody to play with|had no friends].", "Only one thing was missing: {hero} had no friend.")
    t.paragraph()
    t.say("{when}, {other.a} named {other} came to live nearby.",
          "{when}, {hero} heard someone singing. It was {other.a} named {other}.",
          "{when}, {hero} met {other.a} named {other}.")
    t.say("{hero} was too shy to speak.", "At first, they only looked at each other.", "\"Hello,\" said {hero} very quietly.")
    t.say("\"[Do you want to play with me|Would you like to play|Shall we play together]?\" asked {other}.",
          "\"My name is {other},\" said {other.the}. \"[What is yours|Who are you]?\"")
    t.say("\"Oh yes!\" [cried|said] {hero}.", "{hero} nodded and smiled.", "{hero}'s heart beat fast. \"I would love to!\"")
    t.say("They {game}, and then they {game2}.", "All day long, they {game} and {game2}.",
          "First they {game}. After lunch, they {game2}.")
    t.maybe(0.5, "{hero} shared {hero.his} {hero.food} with {other}.", "They laughed so much that their bellies hurt.")
    t.paragraph()
    t.say("When the sun went down, {other} said, \"[See you tomorrow|Let us meet again tomorrow|You are my best friend]!\"",
          "In the evening, neither of them wanted to go home.")
    ending(t, *FRIENDS_FOREVER, "{hero} was never lonely again.", "{hero} learned that one small word can begin a friendship.")


TROUBLES = (  # where the small one is stuck; who gets there; what the hero does
    ("caught in a net", "sparrow duck rabbit otter", "bit through the ropes|cut the net with a sharp stone|untied the knots one by one"),
    ("stuck in a deep hole", "rabbit puppy hedgehog frog", "let down a long branch|threw down a rope|rolled in stones to make a stair"),
    ("sitting on a high branch and afraid to come down", "cat squirrel owl mouse",
     "fetched a ladder|piled up straw under the tree|climbed up and carried {other.him} down"),
    ("drifting down the river on a log", "mouse rabbit cat mole puppy",
     "held out a long stick|threw a rope across the water|jumped in and pulled the log to the bank"),
    ("stuck between two rocks", "frog turtle puppy fox", "pushed the stones apart|pulled as hard as {hero.he} could|dug away the sand"),
    ("tangled in a thorn bush", "sparrow goat mouse cat", "bent the branches aside|pulled out the thorns one by one|cut a way through the thorns"),
)


def rescue(t):
    where, who, how = t.rng.choice(TROUBLES)
    t.being("other", ["little", "tiny", "small", "frightened", "young"], kinds=who.split())
    t.words(stuck=where, saved=t.rng.choice(how.split("|")).format(**t.cast))
    t.paragraph()
    t.say("{when}, {hero} heard a [small|thin|faint] voice. \"Help! [Please help me!|Is anybody there?|I cannot get out!]\"",
          "{when}, {hero} heard someone crying [near the path|behind the trees|not far away].")
    t.say("{hero.he} {hero.went} closer and saw {other.a} {stuck}.", "It was {other.a}, {stuck}.", "There was {other.a} {stuck}.")
    t.say("\"[Do not be afraid|Stay calm|Hold on], I will help you,\" said {hero}.",
          "\"[Wait|Hold on]!\" called {hero}. \"[I am coming|I will get you out]!\"",
          "{hero} was [a little afraid|afraid too], but {hero.he} did not run away.")
    t.say("Quickly, {hero.he} {saved}.", "{hero} thought for a moment. Then {hero.he} {saved}.", "So {hero} {saved}.")
    t.say("[Soon|At last|A moment later], the {other.kind} was [free|safe].")
    t.say("\"Thank you! My name is {other},\" said the {other.kind}.", "\"You saved my life!\" said the {other.kind}, whose name was {other}.")
    t.maybe(0.6, "{hero} took {other} home and gave {other.him} {hero.food}.", "{hero} carried {other} home to {other.his} mother.",
            "{other} gave {hero} a [shiny stone|blue feather|small flower] as a present.")
    t.paragraph()
    ending(t, *FRIENDS_FOREVER, "Everyone said that {hero} was a real hero.",
           "{hero} learned that even the smallest help can be a big gift.", "{hero} learned that being brave means helping when you are afraid.")


def sharing(t):
    t.being("other", ["hungry", "poor", "thin", "tired", "old"], people=0.2)
    t.paragraph()
    t.say("{when}, {hero} had a [big|full] basket of {hero.food}.", "{when}, {hero} sat down to eat {hero.food}.",
          "{when}, {hero} was carrying home a sack of {hero.food}.")
    t.say("[Then|Just then], {other.a} named {other} came by. \"I have not eaten [all day|since yesterday],\" said {other}.",
          "{other.a} named {other} stopped at the gate. \"May I have a little of your food?\" asked {other}.")
    if t.rng.random() < 0.5:
        t.say("\"No, this is all mine,\" said {hero}, and {other} went away [sadly|without a word].",
              "But {hero} did not want to share. \"Go away,\" said {hero}, and {other} went away.")
        t.say("{hero} ate and ate, but the food [did not taste good|had no taste at all].",
              "{hero} ate until {hero.his} belly hurt, but {hero.he} was not happy.")
        t.say("So {hero.he} {hero.went} after {other}. \"[I am sorry|Please come back|Forgive me],\" {hero.he} said. \"There is enough for both of us.\"")
    else:
        t.say("{hero} looked at the food. It was not much, but {hero.he} smiled. \"Come and sit with me,\" {hero.he} said.",
              "\"Of course,\" said {hero}, and {hero.he} gave {other} [half of it|the bigger part].")
    t.say("They sat down [under a tree|in the grass|by the fire] and ate together.", "Together they ate until not a crumb was left.")
    t.maybe(0.6, "{other} told {hero} a [funny|long|wonderful] story about [the sea|a dragon|the moon|a lost king].",
            "\"It tastes much better when you are not alone,\" said {hero}.")
    t.paragraph()
    t.maybe(0.5, "The next [day|morning], {hero} found a [basket of apples|jar of honey|bunch of flowers] at {hero.his} door. It was from {other}.",
            "Some days later, when {hero} was hungry, {other} came with a warm loaf of bread.")
    ending(t, *FRIENDS_FOREVER, "{hero} learned that food tastes best when it is shared.", "{hero} learned that those who share are never poor.")


def storm(t):
    t.being("other", TRAITS, people=0.2)
    t.words(disaster="[blew the roof off|knocked down|washed away|broke the windows of]")
    t.paragraph()
    t.say("{when}, dark clouds came over the hills.", "{when}, the sky turned black.", "{when}, a great storm began.")
    t.say("The thunder rolled, and the rain fell [in sheets|like a river|for hours].", "The wind howled, and the trees bent low.")
    t.say("{hero} was sitting [by the fire|at home, warm and dry], when there was a knock at the door.",
          "Then {hero} heard a knock at the door.")
    t.say("It was {other.a} named {other}, wet from head to toe. \"The storm {disaster} my house,\" said {other}.",
          "Outside stood {other.a} named {other}. \"The storm {disaster} my home,\" {other.he} said.")
    t.say("\"Come in,\" said {hero}. \"[There is room for two|You can stay as long as you like|Sit by the fire].\"",
          "{hero} pulled {other} inside and gave {other.him} a warm blanket and {hero.food}.")
    t.say("When the storm was over, {hero} said, \"[Let us build it up again|I will help you build a new one].\"",
          "In the morning, the sun came out, and they set to work.")
    t.say("They carried wood and stones, and all the neighbors helped.", "They worked for [three days|a whole week], and {hero} carried the heaviest stones.")
    t.say("The new house was [even better than the old one|small, but strong and warm].")
    t.paragraph()
    t.say(*("\"Thank you, {hero},\" said {other}.", "{other} baked a cake for everyone who had helped.", "They had a big party in the new house."))
    ending(t, *FRIENDS_FOREVER, "{hero} learned that after every storm the sun comes back.", "Together, they were no longer afraid of any storm.")


FEARS = {  # the fear: how it shows, the advice, how it ends
    "the dark": ("hid under the blanket every night", "Look up, the stars are the lamps of the night",
                 "sat outside and counted the stars until {hero.he} fell asleep"),
    "thunder": ("covered {hero.his} ears in every storm", "It is only the clouds playing the drum",
                "listened to the thunder and beat time with {hero.his} foot"),
    "deep water": ("never went near the lake", "First put in one foot, then the other", "jumped into the lake with a big splash"),
    "high places": ("never climbed a tree", "Look at the sky and not at the ground", "climbed to the top of the tree and saw the whole valley"),
    "the old bridge": ("always took the long way home", "Hold my hand and take one small step", "crossed the bridge without stopping"),
    "strangers": ("hid behind the door when guests came", "Every friend was a stranger once", "said hello to everyone at the market"),
    "the big dog": ("trembled when it barked", "It barks because it wants to play", "threw a stick, and the big dog brought it back"),
}


def fear(t):
    what = t.rng.choice(list(FEARS))
    shows, advice, brave = (part.format(**t.cast) for part in FEARS[what])
    t.words(fear=what, shows=shows, advice=advice, brave=brave)
    t.being("other", people=0.2)
    t.say("But {hero} was afraid of {fear}. {hero.he} {shows}.", "There was only one thing {hero} feared, and that was {fear}. {hero.he} {shows}.")
    t.paragraph()
    t.say("{when}, {hero} told {other.a} named {other} about it.",
          "{when}, {hero.his} friend {other}, {other.a}, asked, \"What are you afraid of?\" \"Of {fear},\" whispered {hero}.")
    t.say("{other} did not laugh. \"Everyone is afraid of something,\" {other.he} said.", "\"I was afraid of {fear} too,\" said {other}.")
    t.say("\"{advice},\" said {other}.", "Then {other} said, \"{advice}.\"")
    t.say("{hero} thought about it for a long time.", "{hero} took a deep breath.", "{hero}'s knees were shaking.")
    t.say("That [evening|day|very day], {hero.he} tried it. {hero.he} {brave}.", "[The next day|The next time], {hero} was very brave. {hero.he} {brave}.",
          "And then {hero} {brave}.")
    t.paragraph()
    t.say("\"I did it!\" [cried|shouted|called] {hero}.", "\"It is not so bad at all,\" laughed {hero}.", "{other} was very proud of {hero}.")
    ending(t, "{hero} learned that being brave means [trying it anyway|doing it even when you are afraid].", "After that, {hero} was never afraid of {fear} again.",
           "And when others were afraid, {hero} told them, \"{advice}.\"")


BREAKABLES = ("the blue vase", "the big mirror", "the tall clock", "the white jug", "the window of the shop", "the golden cup", "the glass lamp",
              "the gate of the garden")


def honest(t):
    t.being("other", ["old", "kind", "strict", "good"], people=0.4)
    t.words(broken=t.rng.choice(BREAKABLES))
    t.paragraph()
    t.say("{when}, {hero} was playing with a ball [in the house|in the yard] of {other.a} named {other}.",
          "{when}, {hero} was helping {other.a} named {other} and ran too fast.")
    t.say("Crash! {hero} had broken {broken}.", "Suddenly there was a crash. {broken} lay in pieces.", "{hero} tripped, and {broken} broke.")
    t.say("Nobody had seen it. {hero} [hid the pieces|ran away|said nothing].", "{hero} was so afraid that {hero.he} [ran home|hid behind the door].")
    t.say("But that night, {hero} could not sleep.", "But {hero.his} heart felt as heavy as a stone.", "At dinner, {hero} could not eat a single bite.")
    t.say("The next morning, {hero.he} went to {other}. \"I broke {broken},\" {hero.he} said. \"I am [so|very] sorry.\"",
          "In the morning, {hero} told {other} the truth. \"It was me. I broke {broken},\" {hero.he} said.")
    t.say("{other} was quiet for a moment. Then {other.he} smiled. \"[Thank you for telling me the truth|That was very brave of you|A broken thing can be mended].\"",
          "\"I was angry,\" said {other}, \"but [the truth is worth more|now I am proud of you|I am glad that you told me].\"")
    t.say("Together they [mended it|glued the pieces together|repaired it], and [soon it looked like new|nobody could see the crack].",
          "{hero} worked for {other} for [three days|a week] to pay for it.")
    t.paragraph()
    ending(t, "{hero} learned that the truth [makes the heart light|is always the best way].", "From then on, {hero} always told the truth.",
           "And {other} trusted {hero} more than ever.")


def race(t):
    t.being("rival", ["proud", "fast", "strong", "boastful"], people=0.0)
    t.words(contest="[race around the lake|race up the hill|race through the forest|boat race|great race]")
    t.paragraph()
    t.say("{when}, there was a {contest}. Everybody wanted to win, most of all {rival.a} named {rival}.",
          "{when}, {rival.a} named {rival} said, \"Nobody can beat me in the {contest}!\"")
    t.say("\"You will come last,\" {rival} said to {hero}.", "{rival} laughed at {hero}. \"You are much too slow,\" {rival.he} said.")
    t.say("\"We will see,\" said {hero}[.| quietly.| with a smile.]", "{hero} said nothing and [took a deep breath|looked straight ahead].")
    t.say("[One, two, three, go|Ready, steady, go]! {rival} was soon far ahead.", "The bell rang, and off they went. {rival} was the first at the bridge.")
    if t.rng.random() < 0.5:
        t.say("But then {rival} [fell into a ditch|hurt {rival.his} foot|got stuck in the mud]. \"Help me!\" cried {rival}.")
        t.say("{hero} could have won, but {hero.he} stopped and helped {rival} up.", "{hero} stopped at once. \"Lean on me,\" {hero.he} said.")
        t.say("Side by side, they came to the finish, and [everyone cheered|both of them won the prize].")
        t.paragraph()
        t.say("\"I was wrong about you,\" said {rival}. \"[Thank you|You are a true friend].\"", "{rival} was ashamed. \"Please forgive me,\" {rival.he} said.")
        ending(t, "{hero} learned that a friend is better than a prize.", "From that day on, {hero} and {rival} always ran together.",
               "{rival} never laughed at others again.")
    else:
        t.say("{rival} was so sure of winning that {rival.he} [lay down for a nap|stopped to eat|stopped to talk to everyone].")
        t.say("{hero} went on, step by step, and never stopped.", "But {hero} went on and on, past the mill and over the hill.")
        t.say("When {rival} looked up, it was too late. {hero} had won!", "At the finish, everyone cheered. The winner was {hero}!")
        t.paragraph()
        t.say("{rival} [bowed|gave {hero} {rival.his} hand]. \"You were better,\" {rival.he} said.", "\"How did you do it?\" asked {rival}. \"I just kept going,\" said {hero}.")
        ending(t, "{hero} learned that slow and steady wins the race.", "And {rival} never boasted again.", "{hero} shared the prize with everyone.")


MAGIC = {"lamp": "a tiny spirit came out of it", "shell": "a mermaid rose out of the water", "bottle": "a puff of smoke came out of it and turned into a fairy",
         "ring": "a fairy stood in front of {hero.him}", "stone": "a voice came out of it", "mirror": "a face smiled out of it"}


def magic_wish(t):
    item = t.rng.choice(list(MAGIC))
    t.words(magic=f"[golden|dusty|strange|shining|old] {item}", item=item, appears=MAGIC[item].format(**t.cast),
            gift="[it rained for the first time in a year, and the fields turned green|the old well was full of fresh water again|every child in the "
                 "village had a warm coat|the sick grandmother was well again|there was bread on every table|a great bridge stood over the river]")
    t.spots(1)
    t.paragraph()
    t.say("{when}, {hero} found a {magic} {spot1}.", "{when}, {hero} saw something shining {spot1}. It was a {magic}.")
    t.say("{hero.he} rubbed it, and {appears}.", "{hero.he} picked it up, and [suddenly|all at once] {appears}.")
    t.say("\"You [may make|have] one wish,\" said the voice. \"[Think well|Choose wisely|Take your time].\"",
          "\"[I will give you one wish|Tell me your dearest wish],\" said a soft voice.")
    t.say("{hero} thought of [gold and jewels|a big castle|a mountain of sweets]. But then {hero.he} thought of the others.",
          "\"I could wish for [a castle|a crown|a sack of gold],\" thought {hero}. But {hero.he} shook {hero.his} head.")
    t.say("\"I wish that everyone I love is [happy|well],\" said {hero}.", "\"I do not need anything for myself,\" said {hero}. \"Please help the village.\"")
    t.say("The {item} glowed, and the next morning {gift}.", "There was a flash of light, and {gift}.")
    t.paragraph()
    t.say("Nobody knew how it had happened. Only {hero} knew, and {hero.he} smiled.", "Everyone danced and sang, and {hero} danced with them.",
          "The {item} was gone, but {hero} did not mind.")
    ending(t, "{hero} learned that the best wishes are the ones we make for others.", "A kind heart is the greatest magic of all.",
           "And they all lived happily ever after.")


QUESTS = {  # what is needed: where it is, why
    "the silver flower": ("on the highest mountain", "the queen was very ill"),
    "the spring of clear water": ("behind the three hills", "the wells in the village had run dry"),
    "the golden apple": ("in the garden at the end of the world", "the old king could not sleep any more"),
    "the lost bell": ("at the bottom of the lake", "nobody in the village knew what time it was"),
    "the blue feather": ("in the nest of the eagle", "the little princess had lost her smile"),
    "the star that had fallen": ("somewhere in the dark forest", "the night had become too dark"),
    "the magic seed": ("on an island in the lake", "nothing grew in the gardens any more"),
}


def quest(t):
    what = t.rng.choice(list(QUESTS))
    t.words(treasure=what, where=QUESTS[what][0], why=QUESTS[what][1])
    t.being("other", people=0.1)
    t.say("In those days, {why}.", "But one year, {why}.")
    t.say("\"Only {treasure} can help us,\" said the [wise woman|old man|king|mayor].", "\"Somebody must bring us {treasure},\" said the [old people|queen|mayor].")
    t.paragraph()
    t.say("\"I will go,\" said {hero}, and {hero.he} [set out at once|packed some {hero.food} and set out].", "So {hero} set out to find {treasure}.")
    t.say("{hero.he} {hero.went} for three days and three nights.", "The way was long and [stony|dark|steep].", "{hero.he} crossed a wide river and a dark wood.")
    t.say(*MEETING)
    t.say("\"Do you know where {treasure} is?\" asked {hero}. \"It is {where},\" said {other}, \"[but the way is hard|and I will take you there|and nobody has ever come back with it].\"",
          "\"If you help me [carry my wood|find my hat|mend my roof], I will tell you the way,\" said {other}. {hero} helped gladly, and {other} said, \"It is {where}.\"")
    t.say("And there, {where}, {hero} found {treasure}.", "At sunrise, {hero} saw it. There, {where}, was {treasure}!")
    t.say("{hero.he} [thanked {other} and hurried home|carried it home with great care|took it and hurried home].")
    t.paragraph()
    t.say("All the people [cheered|came running] when {hero} came back.", "The bells rang, and everyone [danced|sang] in the streets.",
          "\"You have saved us,\" said the people.")
    ending(t, "{hero} learned that even the longest way begins with one step.", "And if you go there today, they will still tell you about {hero}.",
           "And they all lived happily ever after.")


PLANTS = ("a seed", "a bean", "an acorn", "a cherry stone", "an apple seed", "a sunflower seed", "a pumpkin seed")
GROWN = {"a seed": "a beautiful rose", "a bean": "a beanstalk as high as the house", "an acorn": "a young oak tree", "a cherry stone": "a small cherry tree",
         "an apple seed": "a little apple tree", "a sunflower seed": "a tall sunflower", "a pumpkin seed": "a pumpkin as big as a wheel"}


def patience(t):
    seed = t.rng.choice(PLANTS)
    t.words(seed=seed, plant=GROWN[seed])
    t.being("other", ["wise old", "patient", "old", "gray old"], people=0.2)
    t.paragraph()
    t.say("{when}, {hero} found {seed} and planted it in the garden.", "{when}, {other.a} named {other} gave {hero} {seed}, and {hero} put it into the earth.")
    introduced = str(t.cast["other"]) in t.paragraphs[-1][-1]
    t.say("{hero.he} gave it water and sat down to wait.", "Every morning, {hero} gave it water and looked for a green leaf.")
    t.say("But nothing happened. \"It is taking too long,\" said {hero}.", "A day passed, and then another. \"Why does it not grow?\" asked {hero}.")
    if introduced:
        t.say("\"Be patient,\" said {other}. \"[Good things take time|It is still asleep|A seed cannot hurry].\"")
    else:
        t.say("\"Be patient,\" said {other.a} named {other}. \"[Good things take time|It is still asleep|A seed cannot hurry].\"")
    t.say("So {hero} waited through [sun and rain|the whole spring|many long weeks], and [sang to it|told it stories|kept away the weeds].")
    t.say("One [sunny|warm|bright] morning, there was a small green leaf. [It grew and grew|Day by day it grew].",
          "Then, one morning, something green looked out of the earth.")
    t.say("In the end, it was {plant}.", "When the summer came, there stood {plant}.", "At last, {hero} had {plant}.")
    t.paragraph()
    t.say("{hero} [danced around it|laughed with joy|called all {hero.his} friends].", "\"You were right,\" said {hero} to {other}.",
          "\"It was worth the wait,\" said {hero}.")
    ending(t, "{hero} learned to be patient.", "{hero} learned that good things need time.", "And every year, {hero} planted another one and gave it to a friend.")


NOISES = {"a scratching": ("cat", "lost its way"), "a soft crying": ("puppy", "lost its mother"), "a knocking": ("sparrow", "hurt its wing"),
          "a rustling": ("hedgehog", "been looking for food"), "a squeaking": ("mouse", "been looking for a warm place"), "a splashing": ("duck", "fallen into the bucket")}


def night_noise(t):
    noise = t.rng.choice(list(NOISES))
    animal, reason = NOISES[noise]
    if animal == t.hero.kind:
        return new_friend(t)
    t.words(noise=noise, animal=animal, reason=reason)
    t.day_begun = True
    t.paragraph()
    t.say("One night, {hero} woke up. There was {noise} [at the door|under the window|behind the house|in the yard].",
          "One [dark|stormy|cold] night, {hero} heard {noise} [at the door|under the window|behind the house|outside].")
    t.say("\"[Who is there|What can it be]?\" [whispered|asked] {hero}. Nobody answered.", "{hero.he} pulled the blanket over {hero.his} head, but the noise did not stop.",
          "\"It is a [ghost|monster|wolf|robber],\" thought {hero}, and {hero.his} heart beat fast.")
    t.say("At last, {hero} [took a candle|lit a lantern|took a stick] and opened the door [slowly|very quietly|just a little].",
          "Then {hero.he} took {hero.his} lantern and went out, one step at a time.")
    t.say("There was no [ghost|monster|robber]. There sat a [tiny|small|wet|little] {animal}!", "And what did {hero.he} see? A [tiny|small|wet|little] {animal}!")
    t.say("The {animal} had {reason}.", "\"You poor little thing,\" said {hero}. The {animal} had {reason}.")
    t.say("{hero} took the {animal} inside and gave it [something to eat|some warm milk|a place by the fire].",
          "{hero} wrapped the {animal} in a warm [scarf|blanket|towel].")
    t.paragraph()
    t.say("In the morning, the {animal} was still there, and it stayed.", "Soon the {animal} was asleep in {hero.his} arms.",
          "The next day, the {animal} followed {hero} wherever {hero.he} went.")
    ending(t, "{hero} laughed about {hero.his} fear.", "{hero} learned that things look smaller in the light.", "From that night on, {hero} and the {animal} were always together.")


PRESENTS = ("a warm scarf", "a wooden spoon", "a necklace of shells", "a little boat made of bark", "a picture of the two of them", "a crown of flowers",
            "a basket of straw", "a song", "a chair with a heart in the back", "a honey cake")


def present(t):
    t.being("other", ["dear", "good", "old", "kind"], people=0.3)
    t.words(present=t.rng.choice(PRESENTS))
    t.say("{hero.his} best friend was {other.a} named {other}.", "{hero} had a friend, {other.a} named {other}.")
    t.paragraph()
    t.say("{when}, {hero} remembered that it was {other}'s birthday the next day. But {hero.he} had no money for a present.",
          "{when}, {other} invited everyone to a birthday party. But {hero} had nothing to give.")
    t.say("{hero.he} looked in all the shops, but everything [was too dear|cost too much].", "\"What can I give without any money?\" thought {hero}.",
          "\"The others will bring big presents,\" {hero.he} thought sadly.")
    t.say("Then {hero} had an idea. All night long, {hero.he} worked on {present}.", "So {hero.he} sat down and made something. It was {present}.",
          "\"I will make something myself,\" said {hero}, and {hero.he} made {present}.")
    t.say("At the party, {hero} was [very|a little] shy. \"It is only {present},\" {hero.he} said.", "The next day, {hero} gave it to {other} with a [red face|beating heart].")
    t.say("{other}'s eyes were shining. \"You made it for me?\" {other.he} asked. \"It is the best present of all!\"",
          "\"Oh, {hero}!\" said {other}. \"[Nobody else could give me this|I have never had a better present].\"")
    t.paragraph()
    t.say("They [ate cake|danced|sang] until [late at night|the moon came up].", "{other} kept it for the rest of {other.his} life.")
    ending(t, "{hero} learned that the best presents come from the heart.", *FRIENDS_FOREVER)


def lost_way(t):
    t.being("other", people=0.1)
    t.words(goal="[blue hills|dark forest|far side of the lake|end of the river|big island]")
    t.say("{hero.he} had always wanted to see the {goal}.", "\"What is there at the {goal}?\" {hero.he} often asked.")
    t.paragraph()
    t.say("{when}, {hero} packed {hero.food} and a [warm coat|bottle of water|map], and set out.", "{when}, {hero} left home without telling anyone.")
    t.say("{hero.he} saw [a rainbow|a herd of deer|a family of swans|butterflies] and [a waterfall|an old tower|flowers of every color|a field of poppies].",
          "Everything was new and beautiful, and {hero} {hero.went} on and on.")
    t.say("But when the sun went down, {hero} did not know the way home.", "Then the fog came, and {hero} could no longer see the path.",
          "But soon all the paths looked the same. {hero} was lost.")
    t.say("\"[Hello|Is anybody there]?\" called {hero}. Only the [wind|echo] answered.", "{hero.he} was [cold|tired] and [hungry|afraid], and wanted to go home.")
    t.say(*MEETING)
    t.say("\"[Follow the river|Follow the brightest star|Look for the smoke of your own chimney|Follow the fireflies],\" said {other}, \"and you will find your home.\"",
          "\"I know the way,\" said {other}. \"[Come with me|Take my hand|Follow me].\"")
    t.say("[Before midnight|At last|After a long walk], {hero} saw the lights of home.", "And so {hero} came home, [tired but happy|just as the sun came up].")
    t.paragraph()
    t.say("{hero.his} mother [hugged {hero.him}|ran to meet {hero.him}]. \"Never go away without telling me,\" she said.",
          "At home, {hero} told everyone about {hero.his} adventure.", "{hero.his} family had been waiting, and there was hot soup on the table.")
    ending(t, "{hero} learned that home is the most beautiful place of all.", "The next time, {hero} took a friend along.",
           "{hero} learned to tell others where {hero.he} goes.")


def quarrel(t):
    t.being("other", TRAITS, people=0.2)
    t.being("third", ["wise old", "old", "wise"], people=0.0)
    t.thing()
    t.say("{hero.his} best friend was {other.a} named {other}.", "{hero.he} spent every day with {hero.his} friend {other}, {other.a}.")
    t.paragraph()
    t.say("{when}, they found {thing.a} on the path.", "{when}, they saw {thing.a} lying in the grass.")
    t.say("\"It is mine, I saw it first!\" [cried|shouted] {hero}. \"No, it is mine!\" [cried|shouted] {other}.",
          "Both of them wanted to have it. {hero} pulled, and {other} pulled.")
    t.say("They [shouted|argued] until they were both [angry|red in the face], and then they went home without a word.",
          "\"You are not my friend any more,\" said {other}, and {hero} went home [angry|in tears].")
    t.say("But playing alone was no fun. {hero} missed {other}.", "That evening, {hero} was sad, and {other} was sad too.")
    t.say("{hero} asked {third.a} named {third} for advice. \"What is worth more,\" asked {third}, \"a {thing.it} or a friend?\"",
          "{third.a} named {third} had seen it all. \"You can share a {thing.it},\" said {third}, \"but you cannot buy a friend.\"")
    t.say("{hero} {hero.went} to {other} at once. \"[I am sorry|You can have it|Let us share it],\" {hero.he} said.",
          "{hero} and {other} met on the bridge. \"I am sorry,\" they both said at the same time, and they laughed.")
    t.paragraph()
    t.say("Now the {thing.it} belongs to both of them.", "One day {hero} had the {thing.it}, and the next day {other} had it.",
          "They gave the {thing.it} to a child who had no toys.")
    ending(t, "{hero} learned that a friend is worth more than a {thing.it}.", "They never [quarreled|argued] about such things again.", *FRIENDS_FOREVER)


def winter(t):
    t.being("other", ["busy", "careful", "hard-working", "clever"], people=0.0)
    t.say("All summer long, {hero} [lay in the sun|played in the fields|sang and danced]. {hero.he} did not like to work.",
          "But {hero} was a little lazy and slept until noon.")
    t.paragraph()
    t.say("{hero.his} neighbor {other}, {other.a}, worked every day and stored [nuts and apples|corn and potatoes|wood and food] for the winter.",
          "Next door lived {other.a} named {other}, who gathered [wood and food|corn and beans|apples and nuts] from morning to night.")
    t.say("\"[Come and play|Why do you work so much]!\" called {hero}. \"Winter is coming,\" said {other}. \"You should [get ready too|think of tomorrow].\"",
          "\"There is plenty of time,\" {hero} always said.")
    t.say("Then the first snow fell. {hero} had nothing to eat and [no wood for the fire|a cold, empty house].",
          "One morning, everything was white. {hero}'s cupboard was empty, and {hero.he} was cold.")
    t.say("{hero} {hero.went} to {other}'s house and knocked. \"[Please help me|May I come in|I was foolish],\" {hero.he} said.")
    t.say("{other} looked at {hero} for a while. \"Come in,\" {other.he} said. \"There is enough for two, but next year you will help me.\"",
          "\"Come in and eat,\" said {other}. \"A friend does not let a friend freeze.\"")
    t.say("All winter, they sat by the fire, and {hero} told [funny stories|wonderful stories|stories every evening].",
          "{hero} swept the floor, cooked {hero.food} and sang songs for {other}.")
    t.paragraph()
    t.say("When spring came, {hero} was the first in the fields.", "The next summer, {hero} worked side by side with {other}.")
    ending(t, "{hero} learned to think of tomorrow.", "{hero} learned that first comes work and then comes play.", *FRIENDS_FOREVER)


BEASTS = {"dragon": "roared", "giant": "stamped his feet", "wolf": "howled", "troll": "shook the bridge", "monster": "growled"}
SORROWS = {"had a thorn in his foot": "pulled out the thorn", "had a terrible toothache": "pulled out the bad tooth", "was lonely": "sat down beside him and told him a story",
           "could not sleep": "sang him a song until he fell asleep", "was hungry": "gave him a big pot of soup", "had lost his favorite blanket": "found the blanket and brought it back"}


def gentle_beast(t):
    beast, sorrow = t.rng.choice(list(BEASTS)), t.rng.choice(list(SORROWS))
    if beast == t.hero.kind:
        beast = "giant"
    t.words(beast=beast, roars=BEASTS[beast], sorrow=sorrow, cure=SORROWS[sorrow])
    t.say("Not far away lived a [huge|terrible|big] {beast}. Every night he {roars}, and everyone was afraid of him.",
          "All the people were afraid of the {beast} who lived [in the mountains|behind the forest|in the old castle]. Every night he {roars}.")
    t.paragraph()
    t.say("{when}, {hero} said, \"I will go and ask him why he is so angry.\"", "\"Has anyone ever talked to him?\" asked {hero}. Nobody had. So {hero} set out.")
    t.say("\"Do not go,\" said the others, \"he will eat you!\" But {hero} went.", "{hero.his} heart was beating fast, but {hero.he} {hero.went} on.")
    t.say("The {beast} {roars}. \"[Who dares to come here|What do you want]?\" he asked. \"I am {hero}, and I want to know why you are so [angry|sad],\" said {hero}.",
          "\"Are you not afraid of me?\" asked the {beast}. \"A little,\" said {hero}. \"But I think that you are sad.\"")
    t.say("Then the {beast} began to cry. He {sorrow}.", "The {beast} looked at the ground. He was not angry at all. He {sorrow}.")
    t.say("{hero} {cure}.", "\"I can help you,\" said {hero}, and {hero.he} {cure}.")
    t.paragraph()
    t.say("The {beast} smiled for the first time in a hundred years.", "\"You are the first who was kind to me,\" said the {beast}.", "After that, the {beast} never frightened anyone again.")
    ending(t, "{hero} learned that those who look angry are often only sad.", "And on Sundays, the {beast} came to the village and played with the children.",
           "From that day on, the {beast} and {hero} were friends.")


def helping_hands(t):
    t.words(job="[turnip|pumpkin|cart|stone|log|barrel]")
    first, second, third = (t.being(role, ["strong", "friendly", "tall", "young", "big", "tiny", "small", "cheerful"]) for role in ("first", "second", "third"))
    t.paragraph()
    t.say("{when}, {hero} wanted to move a huge {job}. {hero.he} pulled and pulled, but it did not move.",
          "{when}, a huge {job} was lying in the middle of the road. {hero} pushed and pushed, but it stayed where it was.")
    t.say("{hero} called {first.a} named {first}. Together they tried, but it was too heavy.", "Then {first.a} named {first} came to help, but it was still too heavy.")
    t.say("They called {second.a} named {second}. The three of them tried, and it moved a little.", "{second.a} named {second} helped them too. \"Once more!\" called {second}, but it was no use.")
    t.say("At last, {third.a} named {third} came by. \"Let me help too,\" said {third}.",
          "Then they saw {third.a} named {third}. \"[You are too small|You are not strong enough],\" said {first}. \"Let {third.him} try,\" said {hero}.")
    t.say("All four of them pulled as hard as they could, and the {job} [began to move|rolled away]!", "\"One, two, three!\" called {hero}, and the {job} [moved|rolled to the side]!")
    t.paragraph()
    t.say("They all [fell over|sat down in the grass] and laughed.", "To celebrate, {hero} gave everyone {hero.food}.")
    ending(t, "{hero} learned that many hands make light work.", "{hero} learned that nobody is too small to help.", "Together, they could do what nobody could do alone.")


def little_moon(t):
    t.being("other", people=0.0)
    t.words(sky="[moon|brightest star|evening star|rainbow]")
    t.say("{hero.he} wanted to touch the {sky}.", "\"If only I could bring the {sky} home,\" {hero.he} often said.")
    t.paragraph()
    t.say("{when}, {hero} climbed the highest hill and stretched out {hero.his} arms, but the {sky} was too far away.",
          "{when}, {hero} built a [tower of boxes|very long ladder], but the {sky} was still too far away.")
    t.say("{hero} {hero.went} to {other.a} named {other}. \"How can I reach the {sky}?\" {hero.he} asked.")
    t.say("{other} smiled and led {hero} to the [lake|pond|river]. \"Look down,\" said {other}.", "\"You do not have to fly,\" said {other}. \"Come with me to the [lake|pond].\"")
    t.say("There, in the still water, {hero} saw the {sky}.", "In the water, right in front of {hero.his} feet, was the {sky}.")
    t.say("{hero.he} put {hero.his} hand into the water and touched it. The light danced on the waves.", "{hero} touched the water, and a thousand little lights danced around {hero.his} fingers.")
    t.say("\"It is even more beautiful than I thought,\" whispered {hero}.", "{hero} was so happy that {hero.he} could not speak.")
    t.paragraph()
    ending(t, "{hero} learned that what we look for is often very near.", "And every evening, {hero} and {other} sat by the water and looked at the {sky}.", *FRIENDS_FOREVER)


PLOTS = (lost_thing, learn_skill, new_friend, rescue, sharing, storm, fear, honest, race, magic_wish, quest, patience, night_noise, present,
         lost_way, quarrel, winter, gentle_beast, helping_hands, little_moon)


def story(rng):
    t = Teller(rng)
    opening(t)
    rng.choice(PLOTS)(t)
    return t.text()


# -------------------------------------------------------------------------------------------------------------- the training

END = "<|endoftext|>"
CARD = """\
---
language: en
license: mit
library_name: transformers
pipeline_tag: text-generation
---
# stories

A GPT-2 of {parameters:.1f} million parameters that tells short stories. It is oclm's sample model: small enough to lie in the
repository, real enough to show and to test everything from the tokenizer to the sampler.

    $ oclm generate samples/models/stories "Once upon a time"
    {sample}

|  |  |
|---|---|
| architecture | `gpt2`: {layers} layers, {width} wide, {heads} heads, context {context}, head tied to the embedding |
| tokenizer | byte-level BPE, {vocab} tokens, `<|endoftext|>` = {end} begins nothing and ends every story |
| weights | float16 safetensors, {size:.1f} MB |
| trained on | {stories} stories ({tokens:.1f} million tokens, each seen once) that a grammar writes: nothing was downloaded, no text of others is in it |
| training | float32, AdamW, cosine; seed {seed}; {minutes:.0f} minutes on 2 CPU cores with torch {torch}, transformers {transformers} |
| loss | {loss:.3f} nats a token on {held_out} held-out stories, {loss16:.3f} after rounding to float16 |

Made by `python scripts/train_sample_model.py`; the script holds the grammar. MIT licence, as the rest of the repository.

**For**: first steps, demonstrations, tests. **Not for** anything else: it knows {words} words and {plots} plots, no facts, and no
language but simple English. Beginnings that suit it: *Once upon a time*, *One day*, *There was a*, *In a small village*, *Long ago*.
Asked for something else it soon turns to a story of its own, and a name it has never seen may change on the way.
"""


def write_tokenizer(folder, texts, vocab_size):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)      # GPT-2's splitting rule
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=[END], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def batches(rng, tokenizer, size, longest_row):
    """Endless (input ids, target ids), `size` stories at a time. One story a row: which name belongs to the story is then easy to
    find out. Stories of like length share a batch, and what fills up a row is no target (-100)."""
    import torch
    end = tokenizer.token_to_id(END)
    while True:
        rows = [[end] * (rng.random() < 0.15) + encoding.ids + [end]       # END may also stand before a story
                for encoding in tokenizer.encode_batch([story(rng) for _ in range(32 * size)])]
        rows = sorted((row for row in rows if len(row) <= longest_row), key=len)
        pool = [rows[i:i + size] for i in range(0, len(rows), size)]
        rng.shuffle(pool)
        for some in pool:
            longest = max(map(len, some))
            yield (torch.tensor([(row + [end] * (longest - len(row)))[:-1] for row in some]),
                   torch.tensor([(row + [-100] * (longest - len(row)))[1:] for row in some]))


def loss_of(model, batch):
    import torch
    inputs, targets = batch
    return torch.nn.functional.cross_entropy(model(input_ids=inputs).logits.flatten(0, 1), targets.flatten())


def train(model, stream, held_out, recall, args):
    """AdamW with warm-up and cosine; returns the number of tokens seen."""
    import torch
    embedding = model.get_input_embeddings().weight
    decay = [p for p in model.parameters() if p.dim() >= 2 and p is not embedding]
    plain = [p for p in model.parameters() if p.dim() < 2 or p is embedding]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
                                  lr=args.rate, betas=(0.9, 0.98), fused=True)
    model.train()
    began, tokens = time.time(), 0
    for step in range(args.steps):
        warm = min(1.0, (step + 1) / 100)
        rate = args.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = next(stream)
        loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens += int((batch[1] >= 0).sum())
        if (step + 1) % 100 == 0 or step == 0:
            passed = time.time() - began
            print(f"step {step + 1:5}/{args.steps}  loss {mean_loss(model, held_out[:4]):.3f}  names {recall(model):4.0%}  {passed / 60:5.1f} min, "
                  f"{(args.steps - step - 1) * passed / (step + 1) / 60:5.1f} to go, {tokens / passed:.0f} tokens/s", flush=True)
    return tokens


def mean_loss(model, some):
    """Nats a token."""
    import torch
    with torch.inference_mode():
        weights = [int((targets >= 0).sum()) for _, targets in some]
        return sum(loss_of(model, batch).item() * weight for batch, weight in zip(some, weights)) / sum(weights)


def name_recall(model, tokenizer, some):
    """How often the model is right where the story repeats a name: whether it knows who the story is about."""
    import torch
    names = torch.tensor([ids[0] for ids in (tokenizer.encode(" " + name).ids for name in GIRLS + BOYS) if len(ids) == 1])
    right = asked = 0
    with torch.inference_mode():
        for inputs, targets in some:
            guess = model(input_ids=inputs).logits.argmax(-1)
            for row in range(len(targets)):
                for at in torch.isin(targets[row], names).nonzero().flatten().tolist():
                    if targets[row, at] in inputs[row, :at + 1]:
                        asked += 1
                        right += int(guess[row, at] == targets[row, at])
    return right / asked


def tell(model, tokenizer, prompt, count=1, **how):
    """Continues `prompt`; returns the texts, and whether each ended by itself."""
    import torch
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    end = tokenizer.token_to_id(END)
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_length=model.config.n_positions, num_return_sequences=count, pad_token_id=end,
                         eos_token_id=end, **({"do_sample": False} | how)).tolist()
    return [(tokenizer.decode(row), end in row) for row in out]


def report(model, tokenizer, known_words):
    """Greedy and sampled stories for reading, and how many sampled ones hold words that the grammar does not have."""
    import torch
    for prompt in ("Once upon a time", "One day", "There was a", "In a small village", "Mia was a", "It was a cold evening",
                   "The little dragon"):
        (text, ended), = tell(model, tokenizer, prompt)
        print(f"--- greedy{'' if ended else ' (did not end)'}\n{text}\n")
    torch.manual_seed(1)
    sampled = tell(model, tokenizer, "Once upon a time", count=64, do_sample=True, temperature=0.8, top_k=0)
    for text, ended in sampled[:4]:
        print(f"--- temperature 0.8{'' if ended else ' (did not end)'}\n{text}\n")
    strange = [sorted(set(re.findall(r"\b[a-z]+", text)) - known_words) for text, _ in sampled]
    names, unknown = set(GIRLS + BOYS), 0
    for text, _ in sampled:
        introduced = re.findall(r"(?:named|called|whose name was|friend|neighbor|name is) ([A-Z][a-z]+)|([A-Z][a-z]+) (?:the|was an?) ", text)
        unknown += not {w for w in re.findall(r"[A-Z][a-z]+", text) if w in names} <= {a or b for a, b in introduced}
    print(f"of 64 sampled stories {sum(ended for _, ended in sampled)} ended by themselves, {sum(map(bool, strange))} hold words that the "
          f"grammar does not have {[w for w in strange if w]}, {unknown} use a name that nobody introduced")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__).resolve().parent.parent
    parser.add_argument("--out", type=Path, default=here / "samples" / "models" / "stories", help="folder for the model")
    parser.add_argument("--print-stories", type=int, metavar="N", help="print N stories of the grammar and stop")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16, help="stories a step")
    parser.add_argument("--length", type=int, default=256, help="context of the model; no story is longer")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--vocab", type=int, default=1536)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--spread", type=float, default=0.1, help="standard deviation of the embedding at the beginning")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=20)
    args = parser.parse_args()

    if args.print_stories:
        rng = random.Random(args.seed)
        print("\n\n---\n\n".join(story(rng) for _ in range(args.print_stories)))
        return

    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel
    began = time.time()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)

    texts = [story(random.Random(args.seed * 1000003 + i)) for i in range(20000)]
    known_words = set(re.findall(r"\b[a-z]+", " ".join(texts)))
    tokenizer = write_tokenizer(args.out, texts, args.vocab)
    end = tokenizer.token_to_id(END)
    lengths = [len(tokenizer.encode(text).ids) for text in texts[:1000]]
    print(f"{len(known_words)} words; a story has {min(lengths)} to {max(lengths)} tokens, {sum(lengths) / len(lengths):.0f} on average")

    config = GPT2Config(vocab_size=tokenizer.get_vocab_size(), n_positions=args.length, n_embd=args.width, n_layer=args.layers, n_head=args.heads,
                        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=end, eos_token_id=end,
                        activation_function="gelu_pytorch_tanh")        # gelu_new in one fused call: the same formula, trained faster
    model = GPT2LMHeadModel(config)
    # With the usual 0.02 the names, which all stand in the same places, end up as one vector, and the model never learns to repeat
    # the right one. Wide apart from the beginning, they stay apart.
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=args.spread)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters} parameters")
    held_out = list(itertools.islice(batches(random.Random(args.seed + 1), tokenizer, 16, args.length), 16))
    recall = lambda some_model: name_recall(some_model, tokenizer, held_out[:4])
    tokens = train(model, batches(random.Random(args.seed), tokenizer, args.batch, args.length), held_out, recall, args)
    loss = mean_loss(model.eval(), held_out)

    model.config.activation_function = "gelu_new"
    model.half().save_pretrained(args.out)
    write_json(args.out / "generation_config.json", {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "max_length": args.length})
    write_json(args.out / "tokenizer_config.json", {
        "added_tokens_decoder": {str(end): {"content": END, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                                            "special": True}},
        "add_prefix_space": False, "bos_token": END, "eos_token": END, "unk_token": END, "clean_up_tokenization_spaces": False,
        "model_max_length": args.length, "tokenizer_class": "PreTrainedTokenizerFast"})

    # From here on only what lies in the folder counts.
    model = AutoModelForCausalLM.from_pretrained(args.out, dtype=torch.float32).eval()
    reloaded = AutoTokenizer.from_pretrained(args.out)
    for text in texts[:200] + [f"Zoë's naïve 東京 {END}\n\n  12345 it's"]:
        assert reloaded(text).input_ids == tokenizer.encode(text).ids and reloaded.decode(tokenizer.encode(text).ids) == text, text
    loss16 = mean_loss(model, held_out)
    print(f"held-out loss {loss:.4f}, {loss16:.4f} after rounding to float16, names {recall(model):.0%}")
    report(model, tokenizer, known_words)
    (sample, ended), = tell(model, tokenizer, "Once upon a time")
    assert ended, "the story does not end"

    (args.out / "README.md").write_text(CARD.format(
        parameters=parameters / 1e6, layers=args.layers, width=args.width, heads=args.heads, context=args.length, vocab=config.vocab_size,
        end=end, size=(args.out / "model.safetensors").stat().st_size / 1e6, tokens=tokens / 1e6, stories=args.steps * args.batch,
        seed=args.seed, words=len(known_words), plots=len(PLOTS), minutes=(time.time() - began) / 60, torch=torch.__version__.split("+")[0], transformers=transformers.__version__, loss=loss,
        loss16=loss16, held_out=16 * len(held_out), sample=sample.replace("\n", "\n    ").replace("    \n", "\n")), encoding="utf-8")
    print(f"wrote {args.out} in {(time.time() - began) / 60:.1f} minutes")


if __name__ == "__main__":
    main()

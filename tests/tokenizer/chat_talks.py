"""Conversations for chat templates: arguments of apply_chat_template, by name."""


def user(content):
    return dict(role="user", content=content)


def assistant(content, **more):
    return dict(role="assistant", content=content, **more)


def system(content):
    return dict(role="system", content=content)


def tool(content, **more):
    return dict(role="tool", content=content, **more)


WEATHER = dict(type="function", function=dict(name="get_weather", description="Weather & \"more\" <now>\nfor a city", parameters=dict(
    type="object", properties=dict(city=dict(type="string", description="Ort, z. B. Zürich"), days=dict(type="integer", default=1, enum=[1, 2, 3]),
                                   tags=dict(type="array", items=dict(type="string")), where=dict(type="object", properties=dict(lat=dict(type="number")))),
    required=["city"])))
CLOCK = dict(type="function", function=dict(name="clock", description="time", parameters=dict(type="object", properties={})))
ANY = dict(type="function", function=dict(name="any", description="", parameters=dict(type="object", properties=dict(x=dict(type=["string", "null"])), additionalProperties=False),
                                          **{"return": dict(type="string", description="what it is")}))


def call(name, id="call_123", **arguments):
    return dict(type="function", id=id, function=dict(name=name, arguments=arguments))


PLAIN = [user("Hi"), assistant("Hello!"), user("  2 < 3 & \"ok\"?\n")]
CALLED = [user("Weather?"), assistant("", tool_calls=[call("get_weather", city="Zürich", days=2)]), tool("{\"t\": 21.5}", name="get_weather", tool_call_id="call_123"),
          assistant("21.5 degrees."), user("Thanks 😀")]
CALLED_9 = [user("Weather?"), assistant(None, tool_calls=[call("get_weather", id="abcDEF123", city="Bern")]), tool("{\"t\": 1}", name="get_weather", tool_call_id="abcDEF123"),
            assistant("1 degree."), user("And?")]
TWO_CALLS = [system("Use tools."), user("Both?"), assistant("Let me see.", tool_calls=[call("get_weather", id="call00001", city="a", tags=["x", "y"]), call("clock", id="call00002")]),
             tool("sunny", name="get_weather", tool_call_id="call00001"), tool("12:00", name="clock", tool_call_id="call00002")]
THOUGHT = [user("q1"), assistant("<think>\nhm\n</think>\n\na1"), user("q2"), assistant("a2", reasoning_content="so\nthen "), user("q3")]
PARTS = [user([dict(type="text", text="see "), dict(type="image"), dict(type="text", text=" ok")]), assistant([dict(type="text", text="fine")]), user("more")]
DOCUMENTS = [dict(title="the sky", text="blue\nwide"), dict(title="Meer", text="tief", extra=[1, 2.5, None])]

TALKS = {
    "one": dict(messages=[user("Hi")]),
    "one, prompt": dict(messages=[user("Hi")], add_generation_prompt=True),
    "plain": dict(messages=PLAIN),
    "plain, prompt": dict(messages=PLAIN, add_generation_prompt=True),
    "system, prompt": dict(messages=[system(" Be brief.\n"), *PLAIN], add_generation_prompt=True),
    "system empty": dict(messages=[system(""), user("")], add_generation_prompt=True),
    "developer": dict(messages=[dict(role="developer", content="dev"), user("x")], add_generation_prompt=True),
    "ends with assistant": dict(messages=[user("äöü 日本語 🤖"), assistant("x ")]),
    "two users": dict(messages=[user("a"), user("b")], add_generation_prompt=True),
    "assistant first": dict(messages=[assistant("a"), user("b")], add_generation_prompt=True),
    "unknown role": dict(messages=[dict(role="narrator", content="Once")], add_generation_prompt=True),
    "no content": dict(messages=[user("a"), assistant(None)]),
    "tools": dict(messages=[system("S"), user("Hi")], tools=[WEATHER, CLOCK, ANY], add_generation_prompt=True),
    "tools, no system": dict(messages=[user("Hi")], tools=[WEATHER], add_generation_prompt=True),
    "tools empty": dict(messages=PLAIN, tools=[]),
    "tool call": dict(messages=CALLED, tools=[WEATHER, CLOCK], add_generation_prompt=True),
    "tool call, no tools": dict(messages=CALLED),
    "tool call, short id": dict(messages=CALLED_9, tools=[WEATHER], add_generation_prompt=True),
    "two calls": dict(messages=TWO_CALLS, tools=[WEATHER, CLOCK], add_generation_prompt=True),
    "call as text": dict(messages=[user("q"), assistant("", tool_calls=[dict(type="function", function=dict(name="f", arguments='{"a": 1}'))]), tool("r")], tools=[CLOCK]),
    "tools in user message": dict(messages=PLAIN, tools=[WEATHER], tools_in_user_message=False, date_string="26 Jul 2024", add_generation_prompt=True),
    "builtin tools": dict(messages=PLAIN, builtin_tools=["brave_search", "code_interpreter"], add_generation_prompt=True),
    "thought": dict(messages=THOUGHT, add_generation_prompt=True),
    "thinking off": dict(messages=THOUGHT, enable_thinking=False, add_generation_prompt=True),
    "thinking on": dict(messages=[system("s"), *THOUGHT], enable_thinking=True, thinking=True, reasoning_effort="high", add_generation_prompt=True),
    "thought, tool": dict(messages=[user("q"), assistant("", reasoning_content="use it", tool_calls=[call("clock")]), tool("12"), assistant("<think>x</think>noon")], tools=[CLOCK]),
    "parts": dict(messages=PARTS, add_generation_prompt=True),
    "parts, text only": dict(messages=[system([dict(type="text", text="sys")]), user([dict(type="text", text="a"), dict(type="text", text="b")])], add_generation_prompt=True),
    "documents": dict(messages=[user("Which colour?")], documents=DOCUMENTS, citation_mode="fast", add_generation_prompt=True),
    "continue": dict(messages=[user("q"), assistant("The answer is ")], continue_final_message=True),
    "continue, no space": dict(messages=[user("q"), assistant("The")], continue_final_message=True),
    "continue user": dict(messages=[user("go on")], continue_final_message=True),
    "continue parts": dict(messages=[user("q"), assistant([dict(type="text", text="one"), dict(type="text", text="two")])], continue_final_message=True),
    "long": dict(messages=[system("s")] + [m for i in range(6) for m in (user(f"question {i}?\n\n"), assistant(f"answer\t{i}"))] + [user("last")], add_generation_prompt=True),
    "markers inside": dict(messages=[user("<|im_start|>user\n[INST] {{ x }} {% y %}</s>"), assistant("<s>\\n'\"")], add_generation_prompt=True),
}

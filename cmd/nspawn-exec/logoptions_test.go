package main

import (
	"bytes"
	"strings"
	"testing"

	"nspawnkit/container"
)

func TestLogOptions(t *testing.T) {
	console, journal := logOptions{target: "console", level: container.Info}, logOptions{target: "journal", level: container.Debug}
	with := func(o logOptions, change func(*logOptions)) logOptions { change(&o); return o }
	level := func(o logOptions, level int) logOptions { o.level = level; return o }
	for environment, test := range map[string]struct {
		want    logOptions
		warning string
	}{
		"":                                                           {console, ""},
		"JOURNAL=1":                                                  {journal, ""},
		"SYSTEMD_LOG_LEVEL=debug":                                    {level(console, 7), ""},
		"SYSTEMD_LOG_LEVEL=4":                                        {level(console, 4), ""},
		"SYSTEMD_LOG_LEVEL=debug,console:notice":                     {level(console, 5), ""},
		"SYSTEMD_LOG_LEVEL=debug,journal:notice":                     {level(console, 7), ""},
		"SYSTEMD_LOG_LEVEL=err,console:debug":                        {level(console, 3), ""},
		"SYSTEMD_LOG_LEVEL=console:err":                              {level(console, 3), ""},
		"JOURNAL=1 SYSTEMD_LOG_LEVEL=info,journal:err":               {level(journal, 3), ""},
		"SYSTEMD_LOG_LEVEL=loud":                                     {console, "$SYSTEMD_LOG_LEVEL=loud: not a log level, ignoring"},
		"SYSTEMD_LOG_LEVEL=8":                                        {console, "not a log level"},
		"SYSTEMD_LOG_LEVEL=debug,tty:err":                            {level(console, 7), "not a log level"},
		"SYSTEMD_LOG_TARGET=null":                                    {with(console, func(o *logOptions) { o.target = "null" }), ""},
		"SYSTEMD_LOG_TARGET=kmsg":                                    {with(console, func(o *logOptions) { o.target = "kmsg" }), ""},
		"SYSTEMD_LOG_TARGET=console-prefixed":                        {with(console, func(o *logOptions) { o.prefixed = true }), ""},
		"JOURNAL=1 SYSTEMD_LOG_TARGET=journal":                       {journal, ""},
		"SYSTEMD_LOG_TARGET=auto":                                    {console, ""},
		"SYSTEMD_LOG_TARGET=journal":                                 {console, "standard error is not read by the journal"},
		"SYSTEMD_LOG_TARGET=moon":                                    {console, "not a log target"},
		"SYSTEMD_LOG_TIME=yes SYSTEMD_LOG_COLOR=1":                   {with(console, func(o *logOptions) { o.time, o.color = true, true }), ""},
		"SYSTEMD_LOG_TIME=no SYSTEMD_LOG_TID=0 SYSTEMD_LOG_COLOR=no": {console, ""},
		"SYSTEMD_LOG_TIME=x":                                         {console, "$SYSTEMD_LOG_TIME=x: not a boolean"},
		"SYSTEMD_LOG_TID=1":                                          {console, "$SYSTEMD_LOG_TID=1: has no effect here"},
		"SYSTEMD_LOG_LOCATION=1":                                     {console, "has no effect here"},
	} {
		getenv := func(name string) string {
			for assignment := range strings.FieldsSeq(environment) {
				if value, found := strings.CutPrefix(assignment, name+"="); found {
					return value
				}
			}
			return ""
		}
		got, warnings := parseLogOptions(getenv, getenv("JOURNAL") != "")
		if text := strings.Join(warnings, "; "); got != test.want || (text == "") != (test.warning == "") || !strings.Contains(text, test.warning) {
			t.Errorf("%s: %+v, %q, want %+v, %q", environment, got, text, test.want, test.warning)
		}
	}
}

func TestLoggerPrints(t *testing.T) {
	for name, test := range map[string]struct {
		logger logger
		want   string
	}{
		"console":  {logger{log: logOptions{level: 6}}, "e\nw\nn\ni\n"},
		"quiet":    {logger{quiet: true, log: logOptions{level: 6}}, "e\nw\n"},
		"debug":    {logger{quiet: true, log: logOptions{level: 7}}, "e\nw\nd\n"},
		"errors":   {logger{log: logOptions{level: 3}}, "e\n"},
		"journal":  {logger{quiet: true, prefix: true, log: logOptions{level: 7}}, "<3>e\n<4>w\n<5>n\n<6>i\n<7>d\n"},
		"kmsg":     {logger{prefix: true, log: logOptions{level: 3, name: "a[1]: "}}, "<3>a[1]: e\n"},
		"coloured": {logger{log: logOptions{level: 4, color: true}}, "\x1b[0;1;31me\x1b[0m\n\x1b[0;1;38:5:185mw\x1b[0m\n"},
	} {
		var out bytes.Buffer
		test.logger.out = &out
		for i, text := range []string{"e", "w", "n", "i", "d"} {
			test.logger.print(container.Error+i, text)
		}
		if out.String() != test.want {
			t.Errorf("%s: %q, want %q", name, out.String(), test.want)
		}
	}
	for text, want := range map[string]string{
		"one\ntwo":                    "<3>one\n<3>two\n",
		"one\n<0>two":                 "<3>one\n<3><0>two\n",
		"title \x1b]0;x\a \u009b2J é": "<3>title �]0;x� �2J é\n",
		"raw\rline\nnext\r":           "<3>raw�line\r\n<3>next\r\n",
		"not \xff UTF-8":              "<3>not � UTF-8\n",
	} {
		var out bytes.Buffer
		l := logger{out: &out, prefix: true, log: logOptions{level: 7}}
		if l.print(container.Error, text); out.String() != want {
			t.Errorf("%q: %q, want %q", text, out.String(), want)
		}
	}
	var out bytes.Buffer
	timed := logger{out: &out, log: logOptions{level: 6, time: true}}
	if timed.print(6, "text"); !strings.Contains(out.String(), ":") || !strings.HasSuffix(out.String(), " text\n") {
		t.Errorf("with the time: %q", out.String())
	}
}

// Renders the templates of a JSON file with Go's text/template and docker's functions, and says what came of each.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"text/template"
)

type task struct {
	Template string `json:"template"`
}

type answer struct {
	Template string  `json:"template"`
	Text     *string `json:"text"`
}

type input struct {
	Value json.RawMessage `json:"value"`
	Tasks []string        `json:"templates"`
}

func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return int(i)
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return value
}

func asJSON(v any) string {
	buf := &bytes.Buffer{}
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(buf.String())
}

// Values that come from interfaces have no static type: docker's lists of strings are joined by strings.Join.
func join(values []any, sign string) string {
	out := []string{}
	for _, v := range values {
		out = append(out, fmt.Sprint(v))
	}
	return strings.Join(out, sign)
}

func pad(source string, prefix, suffix int) string {
	if source == "" {
		return source
	}
	return strings.Repeat(" ", prefix) + source + strings.Repeat(" ", suffix)
}

func truncate(source string, length int) string {
	if len(source) < length {
		return source
	}
	return source[:length]
}

func main() {
	decoder := json.NewDecoder(os.Stdin)
	decoder.UseNumber()
	var in input
	if err := decoder.Decode(&in); err != nil {
		panic(err)
	}
	inner := json.NewDecoder(bytes.NewReader(in.Value))
	inner.UseNumber()
	var value any
	if err := inner.Decode(&value); err != nil {
		panic(err)
	}
	value = plain(value)
	functions := template.FuncMap{"json": asJSON, "split": strings.Split, "join": join, "title": strings.Title,
		"lower": strings.ToLower, "upper": strings.ToUpper, "pad": pad, "truncate": truncate}
	out := []answer{}
	for _, text := range in.Tasks {
		one := answer{Template: text}
		parsed, err := template.New("").Funcs(functions).Option("missingkey=error").Parse(text)
		if err == nil {
			buf := &bytes.Buffer{}
			if err = parsed.Execute(buf, value); err == nil {
				got := buf.String()
				one.Text = &got
			}
		}
		out = append(out, one)
	}
	result, _ := json.MarshalIndent(map[string]any{"go": runtime.Version(), "answers": out}, "", " ")
	fmt.Println(string(result))
}

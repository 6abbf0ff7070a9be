// cloud.google.com/go/functions over REST: the client that waits for its operations itself.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	functions "cloud.google.com/go/functions/apiv2"
	pb "cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

const version = "1.19.3"

var ctx, cancel = context.WithTimeout(context.Background(), 4*time.Minute)
var parent = "projects/" + os.Getenv("SIM_PROJECT") + "/locations/" + os.Getenv("SIM_REGION")
var client *functions.FunctionClient

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func want(ok bool, what string, args ...any) {
	if !ok {
		panic(fmt.Errorf(what, args...))
	}
}

func request(id, runtime string, argv ...string) *pb.CreateFunctionRequest {
	process, _ := json.Marshal(map[string]any{"argv": argv})
	return &pb.CreateFunctionRequest{Parent: parent, FunctionId: id, Function: &pb.Function{
		Environment: pb.Environment_GEN_2, Labels: map[string]string{"made-by": "go"}, BuildConfig: &pb.BuildConfig{Runtime: runtime, EntryPoint: "x"},
		ServiceConfig: &pb.ServiceConfig{AvailableMemory: "512Mi", TimeoutSeconds: 120, IngressSettings: pb.ServiceConfig_ALLOW_ALL, EnvironmentVariables: map[string]string{
			"SOCKERLESS_IMAGE": "busybox", "SOCKERLESS_PROCESS": base64.StdEncoding.EncodeToString(process)}}}}
}

func create(id string) *pb.Function {
	op, err := client.CreateFunction(ctx, request(id, "docker", "true"))
	must(err)
	f, err := op.Wait(ctx)
	must(err)
	meta, err := op.Metadata()
	must(err)
	want(meta.GetVerb() == "create" && meta.GetOperationType() == pb.OperationType_CREATE_FUNCTION && len(meta.GetStages()) > 0, "%v", meta)
	return f
}

func remove(id string) {
	op, err := client.DeleteFunction(ctx, &pb.DeleteFunctionRequest{Name: parent + "/functions/" + id})
	must(err)
	must(op.Wait(ctx))
}

func code(err error) int {
	for ; err != nil; err = unwrap(err) {
		if e, ok := err.(*googleapi.Error); ok {
			return e.Code
		}
	}
	return 0
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}

var cases = []struct {
	name string
	fn   func()
}{
	{"create, get, delete", func() {
		f := create("gorest")
		want(f.GetState() == pb.Function_ACTIVE && f.GetEnvironment() == pb.Environment_GEN_2, "%v", f)
		got, err := client.GetFunction(ctx, &pb.GetFunctionRequest{Name: f.GetName()})
		must(err)
		want(got.GetServiceConfig().GetTimeoutSeconds() == 120 && got.GetServiceConfig().GetIngressSettings() == pb.ServiceConfig_ALLOW_ALL && got.GetCreateTime().IsValid(), "%v", got)
		remove("gorest")
		_, err = client.GetFunction(ctx, &pb.GetFunctionRequest{Name: f.GetName()})
		want(code(err) == 404, "%v", err)
	}},
	{"list", func() {
		ids := []string{"golist-a", "golist-b", "golist-c"}
		for _, id := range ids {
			create(id)
		}
		var found []string
		for it := client.ListFunctions(ctx, &pb.ListFunctionsRequest{Parent: parent, PageSize: 2}); ; {
			f, err := it.Next()
			if err == iterator.Done {
				break
			}
			must(err)
			found = append(found, f.GetName()[strings.LastIndex(f.GetName(), "/")+1:])
		}
		want(strings.Join(found, ",") == strings.Join(ids, ","), "%v", found)
		for _, id := range ids {
			remove(id)
		}
	}},
	{"errors", func() {
		_, err := client.CreateFunction(ctx, request("cobol", "cobol60"))
		want(code(err) == 400, "%v", err)
		create("gotwice")
		_, err = client.CreateFunction(ctx, request("gotwice", "docker"))
		want(code(err) == 409, "%v", err)
		remove("gotwice")
	}},
}

func try(name string, fn func()) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Printf("not ok - %s: %s\n", name, strings.ReplaceAll(fmt.Sprint(r), "\n", " | "))
		} else {
			fmt.Println("ok -", name)
		}
	}()
	fn()
}

func main() {
	defer cancel()
	var err error
	client, err = functions.NewFunctionRESTClient(ctx, option.WithEndpoint(os.Getenv("SIM_URL")), option.WithoutAuthentication())
	must(err)
	fmt.Println("version -", version)
	for _, c := range cases {
		try(c.name, c.fn)
	}
	fmt.Println("skip - messages of errors: this client reads an error's body away before it looks at it, so the status alone arrives")
}

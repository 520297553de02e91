// SPDX-License-Identifier: Apache-2.0
// The fake driver's graphs: launches of a capture, and objects that live as long. A graph is named by its capture.
#include "fake_state.h"

enum { MAX_GRAPHS = 64, MAX_LAUNCHES = 256, MAX_OBJECTS = 64 };

typedef struct fake_object {
    void *pointer;
    void (*destroy)(void *pointer);
    unsigned count;
} fake_object;

static fake_object objects[MAX_OBJECTS];

static struct graph {
    uint64_t capture;
    int launch_count, object_count;
    struct {
        int device, kernel;
        unsigned blocks;
        void *args;
    } launches[MAX_LAUNCHES];
    fake_object *objects[MAX_OBJECTS];
} graphs[MAX_GRAPHS];

void *graph_of(uint64_t capture)
{
    struct graph *empty = NULL;
    for (int i = 0; i < MAX_GRAPHS; i++) {
        if (capture && graphs[i].capture == capture)
            return &graphs[i];
        if (!graphs[i].capture && !empty)
            empty = &graphs[i];
    }
    if (!empty)
        give_up("too many graphs");
    empty->capture = capture;
    return empty;
}

void note_launch(uint64_t capture, int device, int kernel, unsigned blocks, const void *args,
                 size_t size)
{
    struct graph *graph = graph_of(capture);
    if (graph->launch_count == MAX_LAUNCHES)
        return; // of a test that replays nothing
    void *copy = malloc(size);
    memcpy(copy, args, size);
    graph->launches[graph->launch_count].device = device;
    graph->launches[graph->launch_count].kernel = kernel;
    graph->launches[graph->launch_count].blocks = blocks;
    graph->launches[graph->launch_count++].args = copy;
}

void fake_replay(uint64_t id)
{
    const struct graph *graph = graph_of(id);
    for (int i = 0; i < graph->launch_count; i++)
        run_kernel(graph->launches[i].device, graph->launches[i].kernel, graph->launches[i].blocks,
                   graph->launches[i].args);
}

static void drop(fake_object *object, unsigned count)
{
    if (count > object->count)
        give_up("more counts of a user object than there are");
    object->count -= count;
    if (object->count == 0)
        object->destroy(object->pointer);
}

static void forget_launches(struct graph *graph)
{
    for (int i = 0; i < graph->launch_count; i++)
        free(graph->launches[i].args);
    graph->launch_count = 0;
    graph->capture = graph->object_count ? graph->capture : 0;
}

void forget_graphs(void)
{
    for (int i = 0; i < MAX_GRAPHS; i++)
        forget_launches(&graphs[i]);
}

void fake_destroy_graph(uint64_t id)
{
    struct graph *graph = graph_of(id);
    int calls = fake_call_count();
    forget_launches(graph);
    for (int i = 0; i < graph->object_count; i++)
        drop(graph->objects[i], 1);
    if (fake_call_count() != calls)
        give_up("a driver call where a user object is destroyed");
    memset(graph, 0, sizeof *graph);
}

int fake_user_objects(void)
{
    int count = 0;
    for (int i = 0; i < MAX_OBJECTS; i++)
        count += objects[i].count > 0;
    return count;
}

API cuUserObjectCreate(void **object, void *pointer, void (*destroy)(void *pointer), unsigned count,
                       unsigned flags)
{
    ENTER(NULL);
    if (!destroy || !count || flags != 1) // the only flag, and it has to be given
        return INVALID_VALUE;
    for (int i = 0; i < MAX_OBJECTS; i++)
        if (!objects[i].count) {
            objects[i] = (fake_object){pointer, destroy, count};
            *object = &objects[i];
            return OK;
        }
    give_up("too many user objects");
}
API cuUserObjectRelease(void *object, unsigned count)
{
    ENTER(NULL);
    drop(object, count);
    return OK;
}
// Always moved into the graph.
API cuGraphRetainUserObject(void *graph, void *object, unsigned count, unsigned flags)
{
    ENTER(NULL);
    struct graph *to = graph;
    if (count != 1 || flags != 1 || to->object_count == MAX_OBJECTS)
        return INVALID_VALUE;
    to->objects[to->object_count++] = object;
    return OK;
}

declare module 'hookbox:targetvideo/events@0.1.0' {
  /**
   * One leaf of the body that no typed field took: a scalar, or an empty
   * object or array.
   */
  export interface Member {
    /**
     * Where it stands: a JSON Pointer (RFC 6901), such as
     * `/data/Video/new`.
     */
    pointer: string,
    /**
     * Its value as JSON text, digit for digit as it was sent.
     */
    json: string,
  }
  /**
   * A video as it was added or edited. An edit may hold only what changed.
   */
  export interface VideoChange {
    /**
     * The video's id. Inferred.
     */
    id?: string,
    /**
     * The website's id. Inferred.
     */
    partnerId?: string,
    /**
     * The category's id. Inferred.
     */
    channelId?: string,
    /**
     * Title. Inferred.
     */
    name?: string,
    /**
     * Inferred.
     */
    description?: string,
    /**
     * Date of publication, as sent; the vendor uses two formats.
     * Inferred.
     */
    publish?: string,
    /**
     * Tags as one text, separated by commas. Inferred.
     */
    tags?: string,
    /**
     * Address of the poster image. Inferred.
     */
    image?: string,
    /**
     * Address of the thumbnail. Inferred.
     */
    thumbnail?: string,
    /**
     * Address of a video that is hosted elsewhere. Inferred.
     */
    externalUrl?: string,
  }
  /**
   * What was deleted: videos, a livestream channel or a schedule, by the
   * event's name.
   */
  export interface Deletion {
    /**
     * Ids of what was deleted. Inferred for videos, otherwise a guess.
     */
    ids: Array<string>,
    /**
     * The website's id. Inferred for videos, otherwise a guess.
     */
    partnerId?: string,
  }
  /**
   * A rendition that has no field of its own.
   */
  export interface Rendition {
    /**
     * As sent, such as `uhd`.
     */
    name: string,
    /**
     * Its flag.
     */
    flag: boolean,
  }
  /**
   * Flags as the vendor sends them. **A flag that is true does not mean
   * that the rendition is done**: in the vendor's own `sd_encoded` body,
   * `hd` and `fhd` are true already. All documented but `more`.
   */
  export interface EncodingStatus {
    trackAll?: boolean,
    sd?: boolean,
    ld?: boolean,
    hsd?: boolean,
    hd?: boolean,
    fhd?: boolean,
    streaming?: boolean,
    snapshot?: boolean,
    thumb?: boolean,
    vtt?: boolean,
    webp?: boolean,
    ogg?: boolean,
    mp3?: boolean,
    /**
     * Flags of any other name, in the body's order: the set of
     * renditions is open.
     */
    more: Array<Rendition>,
  }
  /**
   * News of a video's encoding.
   */
  export interface Encoding {
    /**
     * The video's id. Documented.
     */
    videoId?: string,
    /**
     * Flags of the renditions. Documented.
     */
    status?: EncodingStatus,
    /**
     * Who caused it, such as `MediaConvert`. Documented.
     */
    invokedBy?: string,
  }
  /**
   * A playlist as it was created or edited.
   */
  export interface PlaylistChange {
    /**
     * The playlist's id. Inferred.
     */
    id?: string,
    /**
     * The website's id. Inferred.
     */
    partnerId?: string,
    /**
     * Inferred.
     */
    name?: string,
    /**
     * Date of publication, as sent. Inferred.
     */
    publish?: string,
    /**
     * Videos that were named with it. Inferred.
     */
    videoIds: Array<string>,
  }
  /**
   * Videos that were put into a playlist or taken out of it.
   */
  export interface PlaylistVideos {
    /**
     * The playlist's id. Inferred.
     */
    playlistId?: string,
    /**
     * The videos. Inferred.
     */
    videoIds: Array<string>,
  }
  /**
   * A playlist's new order.
   */
  export interface PlaylistOrder {
    /**
     * The playlist's id. Inferred.
     */
    playlistId?: string,
    /**
     * Video ids, first to last. Inferred.
     */
    videoIds: Array<string>,
  }
  /**
   * A video's new snapshot.
   */
  export interface SnapshotChange {
    /**
     * The video's id. Inferred.
     */
    videoId?: string,
    /**
     * `upload_snapshot`, as sent. Inferred.
     */
    uploadSnapshot?: string,
    /**
     * Path or address of the image. Inferred.
     */
    path?: string,
    /**
     * The second of the video that the image was taken from, as sent
     * (text or a number). Inferred.
     */
    timeFromVideo?: string,
  }
  /**
   * A livestream channel as it was added or edited. Its body may hold an
   * ingest address or a stream key, which then are in `event.extra` and
   * `event.document`: take care what you log.
   */
  export interface LivestreamChange {
    /**
     * The channel's id. Guess.
     */
    id?: string,
    /**
     * The website's id. Guess.
     */
    partnerId?: string,
    /**
     * Guess.
     */
    name?: string,
  }
  /**
   * A schedule of a livestream channel as it was added or edited.
   */
  export interface ScheduleChange {
    /**
     * The schedule's id. Guess.
     */
    id?: string,
    /**
     * The channel's id. Guess.
     */
    livestreamId?: string,
    /**
     * Guess.
     */
    title?: string,
    /**
     * When it starts, as sent (text, or a number's digits). Guess.
     */
    start?: string,
    /**
     * When it ends, as sent (text, or a number's digits). Guess.
     */
    end?: string,
  }
  /**
   * One case for each documented event, and `other` for every other name:
   * the vendor says that there are many more, and new ones can appear at
   * any time. For `other`, read `name`, `extra` and `document`.
   */
  export type Payload = PayloadAddVideo | PayloadEditVideo | PayloadDeleteVideo | PayloadVideoEncoded | PayloadSdEncoded | PayloadAddPlaylist | PayloadEditPlaylist | PayloadAddVideosToPlaylist | PayloadDeleteVideoFromPlaylist | PayloadSortVideosInPlaylist | PayloadEditSnapshot | PayloadLivestreamAddV2 | PayloadLivestreamEdit | PayloadLivestreamDelete | PayloadLivestreamscheduleAdd | PayloadLivestreamscheduleEdit | PayloadLivestreamscheduleDelete | PayloadOther;
  /**
   * `add_video`: a video is added to the website.
   */
  export interface PayloadAddVideo {
    tag: 'add-video',
    val: VideoChange,
  }
  /**
   * `edit_video`: a video is edited.
   */
  export interface PayloadEditVideo {
    tag: 'edit-video',
    val: VideoChange,
  }
  /**
   * `delete_video`: one or more videos are deleted.
   */
  export interface PayloadDeleteVideo {
    tag: 'delete-video',
    val: Deletion,
  }
  /**
   * `video_encoded`: all renditions of a video are done.
   */
  export interface PayloadVideoEncoded {
    tag: 'video-encoded',
    val: Encoding,
  }
  /**
   * `sd_encoded`: the SD rendition, which is mandatory, is created.
   */
  export interface PayloadSdEncoded {
    tag: 'sd-encoded',
    val: Encoding,
  }
  /**
   * `add_playlist`: a playlist is created.
   */
  export interface PayloadAddPlaylist {
    tag: 'add-playlist',
    val: PlaylistChange,
  }
  /**
   * `edit_playlist`: a playlist is edited.
   */
  export interface PayloadEditPlaylist {
    tag: 'edit-playlist',
    val: PlaylistChange,
  }
  /**
   * `add_videos_to_playlist`: videos are added to a playlist.
   */
  export interface PayloadAddVideosToPlaylist {
    tag: 'add-videos-to-playlist',
    val: PlaylistVideos,
  }
  /**
   * `delete_video_from_playlist`: a video is taken out of a playlist.
   */
  export interface PayloadDeleteVideoFromPlaylist {
    tag: 'delete-video-from-playlist',
    val: PlaylistVideos,
  }
  /**
   * `sort_videos_in_playlist`: a playlist has a new order. One action
   * can cause this event beside another one.
   */
  export interface PayloadSortVideosInPlaylist {
    tag: 'sort-videos-in-playlist',
    val: PlaylistOrder,
  }
  /**
   * `edit_snapshot`: the snapshot of a video is edited.
   */
  export interface PayloadEditSnapshot {
    tag: 'edit-snapshot',
    val: SnapshotChange,
  }
  /**
   * `livestream_add_v2`: a livestream channel is added.
   */
  export interface PayloadLivestreamAddV2 {
    tag: 'livestream-add-v2',
    val: LivestreamChange,
  }
  /**
   * `livestream_edit`: a livestream channel is edited.
   */
  export interface PayloadLivestreamEdit {
    tag: 'livestream-edit',
    val: LivestreamChange,
  }
  /**
   * `livestream_delete`: a livestream channel is deleted.
   */
  export interface PayloadLivestreamDelete {
    tag: 'livestream-delete',
    val: Deletion,
  }
  /**
   * `livestreamschedule_add`: a schedule is added to a channel.
   */
  export interface PayloadLivestreamscheduleAdd {
    tag: 'livestreamschedule-add',
    val: ScheduleChange,
  }
  /**
   * `livestreamschedule_edit`: a schedule is edited.
   */
  export interface PayloadLivestreamscheduleEdit {
    tag: 'livestreamschedule-edit',
    val: ScheduleChange,
  }
  /**
   * `livestreamschedule_delete`: a schedule is deleted.
   */
  export interface PayloadLivestreamscheduleDelete {
    tag: 'livestreamschedule-delete',
    val: Deletion,
  }
  /**
   * Any other name.
   */
  export interface PayloadOther {
    tag: 'other',
  }
  /**
   * One webhook, verified and typed.
   */
  export interface Event {
    /**
     * The member `event`, as sent. Documented.
     */
    name: string,
    /**
     * The typed body, by the event's name.
     */
    payload: Payload,
    /**
     * `scope`, such as `Controller.Encodings`. Documented.
     */
    scope?: string,
    /**
     * `method`; in the documented body the same as the name. Documented.
     */
    method?: string,
    /**
     * `api`: false in the documented body. Documented; its meaning, that
     * the change was made through the API, is a guess.
     */
    api?: boolean,
    /**
     * `timestamp`: seconds since the Unix epoch. Documented.
     */
    timestamp?: bigint,
    /**
     * Each leaf that no typed field took, in the body's order. A leaf
     * that says the same as a typed field is not repeated; one that
     * differs is here.
     */
    extra: Array<Member>,
    /**
     * The body as JSON text without the top-level member that held the
     * secret, and nothing else changed.
     */
    document: string,
  }
}
